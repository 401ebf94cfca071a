"""The feed: what was done in some projects, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, select

from lockgate.errors import UserError
from lockgate.hub.push import describe
from lockgate.hub.search.database import Database
from lockgate.hub.search.detail import Detail
from lockgate.hub.search.first import first_rows
from lockgate.hub.search.known import load_projects
from lockgate.hub.search.tables import activities
from lockgate.hub.search.titles import older_than, titled
from lockgate.hub.search.words import asked_words

LONGEST_PAGE = 500
_details = msgspec.json.Decoder(Detail)


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One activity. `id`: its commit on the chain, of cells the first one's in a journal; `at`: seconds since
    the epoch."""

    id: str
    project: str
    kind: str
    at: float
    by: str
    title: str
    ref: str | None
    where: str | None
    """The ref as a person calls it."""
    commit: str | None
    run: str | None
    detail: Detail
    """Outcome, figures, tables, metrics, changes, snippets and logs; of cells the sitting."""

    @property
    def outcome(self) -> str | None:
        return self.detail.outcome


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries. `next`: what to give as `before` for older ones, None: there are none."""

    entries: tuple[FeedEntry, ...]
    next: str | None


def feed(
    database: Database,
    projects: Sequence[str],
    by: str | None = None,
    ref: str | None = None,
    kind: str | None = None,
    text: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> FeedPage:
    """Return the newest entries of these projects.

    `by` is a member; `ref` a branch, with or without `refs/heads/`; `kind` a kind as `run.finished` or its
    first word, `run` (`cell`: what was executed); `text` words that the title holds, the last one perhaps
    only begun. Raises `UserError` (`page-invalid`), `OutsideError` (`search-unavailable`).
    """
    size = max(1, min(limit, LONGEST_PAGE))
    conditions = [*_narrowed(by, ref, kind), *_older(before)]
    with database.read() as connection:
        known = load_projects(connection, projects)
        if not known:
            return FeedPage(entries=(), next=None)
        if text and text.strip():
            until = float(before.partition(":")[0]) if before else None
            rows = titled(connection, known, asked_words(text), conditions, until, size + 1)
        else:
            rows = first_rows(
                connection, activities.c.values(), list(known), conditions, activities.c.at, size + 1
            )
    following = f"{rows[size - 1].at!r}:{rows[size - 1].number}" if len(rows) > size else None
    return FeedPage(entries=tuple(entry_of(row, known) for row in rows[:size]), next=following)


def find_entry(database: Database, project: str, id: str) -> FeedEntry | None:
    """Return the entry of one commit of a project's chain."""
    with database.read() as connection:
        known = load_projects(connection, [project])
        question = select(activities).where(activities.c.project.in_(known), activities.c.entry == id)
        row = connection.execute(question).first()
    return entry_of(row, known) if row is not None else None


def entries_of_run(database: Database, project: str, run: str, limit: int = 100) -> tuple[FeedEntry, ...]:
    """Return what the chain tells of one run, oldest first."""
    with database.read() as connection:
        known = load_projects(connection, [project])
        question = (
            select(activities)
            .where(activities.c.project.in_(known), activities.c.run == run)
            .order_by(activities.c.number)
            .limit(limit)
        )
        return tuple(entry_of(row, known) for row in connection.execute(question))


def _narrowed(by: str | None, ref: str | None, kind: str | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if by:
        conditions.append(activities.c.by == by)
    if ref:
        conditions.append(activities.c.ref == (ref if ref.startswith("refs/") else f"refs/heads/{ref}"))
    if kind and "." in kind:
        conditions.append(activities.c.kind == kind)
    elif kind:
        # All that begin with `run.`: `/` is the character after the point
        conditions += [activities.c.kind >= f"{kind}.", activities.c.kind < f"{kind}/"]
    return conditions


def _older(before: str | None) -> list[ColumnElement[bool]]:
    if not before:
        return []
    at, _, number = before.partition(":")
    try:
        key, last = float(at), int(number)
    except ValueError:
        raise UserError(
            "this page of the feed does not exist", "Begin at the first page again.", code="page-invalid"
        ) from None
    if not (abs(key) < 1e15 and abs(last) < 1 << 62):
        return [activities.c.number < 0]
    return [older_than(key, last)]


def entry_of(row: Row[Any], known: dict[int, str]) -> FeedEntry:
    """Return a row of `activities` as an entry; `known`: number → name of its project."""
    return FeedEntry(
        id=row.entry,
        project=known[row.project],
        kind=row.kind,
        at=row.at,
        by=row.by,
        title=row.title,
        ref=row.ref,
        where=describe(row.ref) if row.ref else None,
        commit=row.commit,
        run=row.run,
        detail=_details.decode(row.detail),
    )
