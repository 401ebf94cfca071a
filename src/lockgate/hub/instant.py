"""An instant as the chain and the hub's files write it."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(at: float) -> str:
    """Return seconds since the epoch as `2026-11-21T05:12:03Z`."""
    return datetime.fromtimestamp(max(0, int(at)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
