"""Data between a clone and its hub, in both directions."""
