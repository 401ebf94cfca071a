"""The activity chain: who did what, when, to which commit, signed."""
