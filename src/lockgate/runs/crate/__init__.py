"""A result to give away: what is in the file, told in the words of RO-Crate and of W3C PROV."""
