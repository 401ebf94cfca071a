"""Keeping a hub: its service, its health, its backups, its room."""
