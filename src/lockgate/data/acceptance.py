"""Acceptance of drift: a member's signed word that a version which drifted is right. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

ACCEPTED = "data.accepted"


class Acceptance(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One entry of the chain about it."""

    path: str
    run: str
    """The run whose check found the drift."""
    report: str
    """The blob of the report on the accepted version: what is compared with from now on."""
    replaces: str
    """The blob of the report on the version that had passed last, which it had drifted from."""
    drift: dict[str, float]
    """Column → population stability index, of those columns whose limit was passed."""
    words: str
    """Why."""
    by: str
    at: str
    """UTC, ISO 8601."""
    content: str | None = None
    """The md5 that the pointer or the lock file has, or the object's id where git holds the bytes."""
    commit: str = ""
    """The snapshot that has this version."""
    name: str = ""
    """What the version is called."""
    entry: str = ""
    """The chain's entry."""


def reference(found: Sequence[Acceptance], report: str) -> str:
    """Return the blob of the report to compare with, where this one is of the version that passed last.

    `found`: all that was accepted of the table, newest first. A report that no accepted version was compared
    with is of a version that passed since, and that one counts.
    """
    return next((each.report for each in found if each.replaces == report), report)


def in_words(said: Acceptance) -> str:
    """Return an acceptance in one line."""
    drift = ", ".join(f"{column} {index:.3f}" for column, index in said.drift.items())
    named = f" as {said.name}" if said.name else ""
    return f"drift of {drift} accepted{named} by {said.by} on {said.at[:10]}: {said.words}"
