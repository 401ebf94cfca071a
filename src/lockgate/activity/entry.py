"""One entry of the activity chain: a value."""

from __future__ import annotations

import msgspec

FORMAT = 1


class Activity(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who did what, when, to which commit, with what evidence."""

    format: int = FORMAT
    kind: str
    """A verb in the past, by subject: `project.added`, `push.received`, `run.finished`, …"""
    at: str
    """UTC, ISO 8601 with seconds and `Z`."""
    by: str
    """The member who caused it, or `hub`."""
    title: str
    """One readable line; the commit's subject."""
    ref: str | None = None
    commit: str | None = None
    """The commit it speaks of: a snapshot, a result."""
    run: str | None = None
    evidence: dict[str, object] = {}
    """What the kind's page in docs/reference lists, plain JSON."""
