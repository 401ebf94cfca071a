"""Sync: commit, fetch, merge and push in one, journalled so that all of it can be taken back."""
