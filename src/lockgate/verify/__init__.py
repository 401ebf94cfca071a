"""Proof: a run made again, what it made compared by kind, and why it differs."""
