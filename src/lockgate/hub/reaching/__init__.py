"""Reaching a hub: where it is, and one question to it by HTTP or ssh."""
