"""The verbs of a work tree: each does one thing between a clone and its hub."""
