"""What people say about data: owner, licence, source, when it was refreshed and labelled, its columns.

It stands in git: in a DVC pointer as `desc`, `labels` and `meta`, or in `lockgate.toml` under `[datasets]`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import msgspec

from lockgate.errors import UserError

#: What `meta` may say beside what other programs put there; DVC itself reads none of it.
FIELDS = ("owner", "licence", "source", "version", "refreshed_at", "labelled_at")
DATES = ("refreshed_at", "labelled_at")
#: How others write the same.
_ALSO = {"licence": "license"}

LONGEST_TEXT = 20_000
LONGEST_WORD = 1_000
MOST_COLUMNS = 2_000

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?Z")


class Description(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is said of one dataset; empty: nothing."""

    text: str = ""
    owner: str = ""
    """A person, a team or an address."""
    licence: str = ""
    """An SPDX expression, see https://spdx.org/licenses/."""
    source: str = ""
    """Where it came from: an address, or words."""
    version: str = ""
    """As its source counts; the digest tells versions apart in any case."""
    refreshed_at: str = ""
    """When its content was last brought up to date: a day, or a moment in UTC."""
    labelled_at: str = ""
    """When the labels in it were last given."""
    labels: tuple[str, ...] = ()
    columns: dict[str, str] = {}
    """Column → what it means."""
    doubts: tuple[str, ...] = ()
    """What stands there and cannot be meant, in words; it is left out of the fields."""


def read_description(text: str | None, labels: Sequence[str], meta: object) -> Description:
    """Read what a pointer says. What other programs put into `meta` is left alone; nothing is refused."""
    said: Mapping[object, object] = meta if isinstance(meta, Mapping) else {}
    fields: dict[str, str] = {}
    doubts: list[str] = []
    for name in FIELDS:
        value = said.get(name, said.get(_ALSO.get(name, name)))
        if value is None:
            continue
        word = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        problem = problem_of(name, word)
        if problem is not None:
            doubts.append(problem)
        else:
            fields[name] = word.strip()
    columns, doubt = _columns(said.get("columns"))
    return Description(
        text=(text or "").strip()[:LONGEST_TEXT],
        labels=tuple(label[:LONGEST_WORD] for label in labels),
        columns=columns,
        doubts=(*doubts, *doubt),
        **fields,
    )


def _columns(said: object) -> tuple[dict[str, str], tuple[str, ...]]:
    if said is None:
        return {}, ()
    if not isinstance(said, Mapping):
        return {}, ("`columns` names no columns: it is to be `name: what it means`",)
    found = {
        str(name): str(words).strip()[:LONGEST_WORD]
        for name, words in list(said.items())[:MOST_COLUMNS]
        if isinstance(words, str | int | float)
    }
    return found, ()


def problem_of(name: str, word: str) -> str | None:
    """Return why a field cannot be that, in words; None: it can."""
    if not word.strip():
        return f"`{name}` is no text"
    if len(word) > LONGEST_WORD:
        return f"`{name}` is longer than {LONGEST_WORD} characters"
    if name in DATES and not is_day(word.strip()):
        return f"{word.strip()[:40]!r} is no day: `{name}` reads 2026-11-26, or 2026-11-26T08:30Z"
    if name == "licence":
        return licence_problem(word.strip())
    return None


def licence_problem(text: str) -> str | None:
    """Return why a text is no licence by SPDX's list, in words; None: it is one."""
    from packaging.licenses import (  # noqa: PLC0415  (its list takes a moment to read)
        InvalidLicenseExpression,
        canonicalize_license_expression,
    )

    try:
        canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return (
            f"{text[:60]!r} is no licence of SPDX's list (https://spdx.org/licenses/): CC-BY-4.0; one of your"
            " own as LicenseRef-NAME"
        )
    return None


def is_day(text: str) -> bool:
    """Return whether a text is a day or a moment that there is."""
    try:
        if _DAY.fullmatch(text):
            date.fromisoformat(text)
            return True
        if _MOMENT.fullmatch(text):
            datetime.fromisoformat(text)
            return True
    except ValueError:
        return False
    return False


#: What a table `[datasets."PATH"]` of lockgate.toml may say.
TABLE_KEYS = ("description", *FIELDS, "labels", "columns")


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong in a table of lockgate.toml; `path`: the key, seen from the table."""

    path: tuple[str, ...]
    message: str
    hint: str


def read_table(table: Mapping[str, object]) -> Description | Wrong:
    """Read a table of known keys strictly: who writes it is told what cannot be meant."""
    for name in ("description", *FIELDS):
        value = table.get(name, "-")
        if not isinstance(value, str) or not value.strip():
            return Wrong(
                (name,), f"{name} is not text in quotes", 'Write it in quotes; a day as "2026-11-26".'
            )
        problem = problem_of(name, value) if name in FIELDS and name in table else None
        if problem is not None:
            return Wrong((name,), *cause_and_hint(problem))
    labels, columns = table.get("labels", []), table.get("columns", {})
    if not isinstance(labels, list) or not all(isinstance(each, str) and each for each in labels):
        return Wrong(("labels",), "labels is not a list of words", 'Write labels = ["one", "two"].')
    if not isinstance(columns, dict) or not all(isinstance(each, str) for each in columns.values()):
        return Wrong(
            ("columns",), "columns is not a table of texts", 'Write columns = { name = "what it means" }.'
        )
    meta = {name: table[name] for name in (*FIELDS, "columns") if name in table}
    return read_description(str(table.get("description", "")), [str(each) for each in labels], meta)


def cause_and_hint(problem: str) -> tuple[str, str]:
    cause, _, hint = problem.partition(": ")
    return cause, f"Write it so: {hint}." if hint else "Say it in a few words."


def require_field(name: str, word: str) -> str:
    """Return what a member says of data if it can be that. Raises `UserError` (`description-invalid`)."""
    problem = problem_of(name, word)
    if problem is None:
        return word.strip()
    cause, hint = cause_and_hint(problem)
    raise UserError(cause, hint, code="description-invalid")


def is_empty(description: Description) -> bool:
    """Return whether nothing is said."""
    return description == Description()


def meta_of(description: Description, before: object) -> dict[str, object] | None:
    """Return `meta` as a pointer carries it: first what others have put there, then the fields."""
    kept: dict[str, object] = {}
    if isinstance(before, Mapping):
        own = {*FIELDS, *_ALSO.values(), "columns"}
        kept = {str(name): value for name, value in before.items() if name not in own}
    for name in FIELDS:
        if word := getattr(description, name):
            kept[name] = word
    if description.columns:
        kept["columns"] = dict(description.columns)
    return kept or None
