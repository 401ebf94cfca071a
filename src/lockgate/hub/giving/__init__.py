"""Giving a project or a result away as one file, and taking one in."""
