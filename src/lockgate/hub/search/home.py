"""A member's first page: their projects, what runs, what failed lately, what waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, bindparam, exists, select

from lockgate.hub.search.database import Database
from lockgate.hub.search.feed import FeedEntry, feed
from lockgate.hub.search.first import first_rows
from lockgate.hub.search.known import load_projects
from lockgate.hub.search.runs_table import RunRow
from lockgate.hub.search.tables import activities, runs

SHOWN = 10
#: States of runs that have not ended.
ALIVE = ("running", "preparing", "recording", "queued")

_SHOWN = (
    runs.c.number, runs.c.id, runs.c.project, runs.c.state, runs.c.branch, runs.c.commit, runs.c.member,
    runs.c.created_at, runs.c.seconds, runs.c.cause, runs.c.result_commit,
)  # fmt: skip
_LATER = runs.alias("later")
_MENDED = select(runs.c.number).where(
    runs.c.number.in_(bindparam("numbers", expanding=True)),
    exists().where(
        _LATER.c.project == runs.c.project,
        _LATER.c.branch == runs.c.branch,
        _LATER.c.created_at > runs.c.created_at,
        _LATER.c.state == "succeeded",
    ),
)


class ProjectLine(msgspec.Struct, frozen=True, kw_only=True):
    """One project with its newest run, if it has any."""

    name: str
    newest: RunRow | None


class FailedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that failed; `is_mended`: a later one of its branch succeeded."""

    run: RunRow
    is_mended: bool


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """Each list newest first and cut short."""

    projects: tuple[ProjectLine, ...]
    running: tuple[RunRow, ...]
    failed: tuple[FailedRun, ...]
    proposals: tuple[FeedEntry, ...]
    """Proposals that nobody has accepted or declined."""
    mine: tuple[RunRow, ...]
    """The member's own newest runs."""


def home(database: Database, projects: Sequence[str], member: str | None = None, limit: int = SHOWN) -> Home:
    """Return what the first page shows of these projects. Raises `OutsideError` (`search-unavailable`)."""
    with database.read() as connection:
        known = load_projects(connection, projects)
        newest = _newest(connection, known)
        running = _alive(connection, known, limit)
        failed = _first(connection, known, [runs.c.state == "failed"], limit)
        mended = _mended(connection, [row.number for row in failed])
        mine = _first(connection, known, [runs.c.member == member], limit) if member else []
        has_proposals = _has_proposals(connection, known)
    lines = [
        ProjectLine(name=name, newest=_run(newest[number], known) if number in newest else None)
        for number, name in sorted(known.items(), key=lambda item: item[1])
    ]
    return Home(
        projects=tuple(lines),
        running=tuple(_run(row, known) for row in running),
        failed=tuple(FailedRun(run=_run(row, known), is_mended=row.number in mended) for row in failed),
        proposals=_open_proposals(database, projects, limit) if has_proposals else (),
        mine=tuple(_run(row, known) for row in mine),
    )


def _newest(connection: Connection, known: dict[int, str]) -> dict[int, Row[Any]]:
    return {row.project: row for row in _first(connection, known, [], len(known), limit_each=1)}


def _alive(connection: Connection, known: dict[int, str], limit: int) -> list[Row[Any]]:
    """Few: those that the chain does not tell the end of."""
    question = select(*_SHOWN).where(~runs.c.is_recorded, runs.c.project.in_(known), runs.c.state.in_(ALIVE))
    ordered = question.order_by(runs.c.created_at.desc(), runs.c.number.desc())
    return list(connection.execute(ordered.limit(limit)))


def _first(
    connection: Connection,
    known: dict[int, str],
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    limit_each: int | None = None,
) -> list[Row[Any]]:
    if not known:
        return []
    key = runs.c.created_at
    return first_rows(connection, _SHOWN, list(known), conditions, key, limit, limit_each=limit_each)


def _mended(connection: Connection, numbers: Sequence[int]) -> set[int]:
    """Return those runs of which a later one of the same branch succeeded."""
    if not numbers:
        return set()
    return set(connection.execute(_MENDED, {"numbers": numbers}).scalars())


def _has_proposals(connection: Connection, known: dict[int, str]) -> bool:
    question = select(activities.c.number).where(
        activities.c.project.in_(known), activities.c.kind == "proposal.opened"
    )
    return connection.execute(question.limit(1)).first() is not None


def _open_proposals(database: Database, projects: Sequence[str], limit: int) -> tuple[FeedEntry, ...]:
    """Of each proposal's ref the newest entry counts."""
    found: dict[tuple[str, str | None], FeedEntry] = {}
    for entry in feed(database, projects, kind="proposal", limit=200).entries:
        found.setdefault((entry.project, entry.ref), entry)
    return tuple(entry for entry in found.values() if entry.kind == "proposal.opened")[:limit]


def _run(row: Row[Any], known: dict[int, str]) -> RunRow:
    return RunRow(
        id=row.id,
        project=known[row.project],
        state=row.state,
        where=row.branch,
        commit=row.commit,
        member=row.member,
        created_at=row.created_at,
        seconds=row.seconds,
        cause=row.cause,
        result_commit=row.result_commit,
    )
