"""A certification: a member's signed word that exactly one version of a dataset is fit for use. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.project.description import is_day

CERTIFIED = "data.certified"
WITHDRAWN = "data.withdrawn"
DEFAULT_DAYS = 365
#: Longer ahead nobody can vouch.
LONGEST_DAYS = 5 * 366

Word = Literal["certified", "expired", "withdrawn", "changed", "none"]


class Certification(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One entry of the chain about it."""

    path: str
    content: str
    """The md5 that the pointer has, or the object's id where git holds the bytes."""
    commit: str
    """A commit that has this version."""
    by: str
    at: str
    """UTC, ISO 8601."""
    until: str = ""
    """The last day on which it counts; empty where it is a withdrawal."""
    words: str = ""
    """What was looked at, or why it is withdrawn."""
    is_withdrawal: bool = False
    entry: str = ""
    """The chain's entry."""


class Standing(msgspec.Struct, frozen=True):
    """How a version stands; `certification`: the one that says so, or where it changed of another one."""

    word: Word
    certification: Certification | None = None

    @property
    def is_certified(self) -> bool:
        return self.word == "certified"


def standing(found: Sequence[Certification], content: str | None, today: str) -> Standing:
    """Return how a version of a dataset stands; `found`: all that was said of its path, newest first."""
    own = next((each for each in found if each.content == content), None)
    if own is not None:
        if own.is_withdrawal:
            return Standing("withdrawn", own)
        return Standing("certified" if today <= own.until else "expired", own)
    other = next((each for each in found if not each.is_withdrawal), None)
    return Standing("changed", other) if other is not None else Standing("none")


def in_words(found: Standing) -> str:
    """Return a standing in one line."""
    said = found.certification
    if said is None:
        return "not certified"
    if found.word == "certified":
        return f"certified by {said.by} until {said.until}"
    if found.word == "expired":
        return f"not certified: what {said.by} certified ended on {said.until}"
    if found.word == "withdrawn":
        return f"not certified: withdrawn by {said.by}" + (f": {said.words}" if said.words else "")
    return f"not certified: it has changed since {said.by} certified another version on {said.at[:10]}"


def last_day(until: str, today: str) -> str:
    """Return until when a certification counts; "" asks for the usual time.

    Raises `UserError` (`certification-invalid`).
    """
    now = date.fromisoformat(today)
    if not until:
        return (now + timedelta(days=DEFAULT_DAYS)).isoformat()
    if len(until) != len(today) or not is_day(until):
        raise UserError(f"{until[:40]!r} is no day", "Write it as 2027-11-26.", code="certification-invalid")
    if not today <= until <= (now + timedelta(days=LONGEST_DAYS)).isoformat():
        raise UserError(
            f"{until} is past, or too far ahead",
            f"A certification ends within {LONGEST_DAYS // 366} years; it is renewed by certifying again.",
            code="certification-invalid",
        )
    return until
