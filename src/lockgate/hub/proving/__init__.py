"""Verifying a result: run again, compared, and the cause of what differs."""
