"""A member's first page: their projects, what runs, what failed lately, what waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, exists, select

from lockgate.hub.search.database import Database
from lockgate.hub.search.feed import FeedEntry, feed
from lockgate.hub.search.known import load_projects
from lockgate.hub.search.ordering import merged
from lockgate.hub.search.runs_table import RunRow
from lockgate.hub.search.tables import activities, runs

SHOWN = 10
#: States of runs that have not ended.
ALIVE = ("running", "preparing", "recording", "queued")


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
        running = _runs_in(connection, known, ALIVE, limit)
        failed = _runs_in(connection, known, ("failed",), limit)
        mended = {row.number for row in failed if _is_mended(connection, row)}
        mine = _of_member(connection, known, member, limit) if member else []
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
    arms = [_ordered(select(runs).where(runs.c.project == project), 1) for project in known]
    if not arms:
        return {}
    return {row.project: row for row in connection.execute(merged(arms, _BY, True, len(arms)))}


def _runs_in(
    connection: Connection, known: dict[int, str], states: Sequence[str], limit: int
) -> list[Row[Any]]:
    arms = [
        _ordered(select(runs).where(runs.c.project == project, runs.c.state == state), limit)
        for project in known
        for state in states
    ]
    return list(connection.execute(merged(arms, _BY, True, limit))) if arms else []


def _of_member(connection: Connection, known: dict[int, str], member: str, limit: int) -> list[Row[Any]]:
    arms = [
        _ordered(select(runs).where(runs.c.project == project, runs.c.member == member), limit)
        for project in known
    ]
    return list(connection.execute(merged(arms, _BY, True, limit))) if arms else []


_BY = ("created_at", "number")


def _ordered(question: Select[Any], limit: int) -> Select[Any]:
    return question.order_by(runs.c.created_at.desc(), runs.c.number.desc()).limit(limit)


def _is_mended(connection: Connection, row: Row[Any]) -> bool:
    later = exists().where(
        runs.c.project == row.project,
        runs.c.branch == row.branch,
        runs.c.created_at > row.created_at,
        runs.c.state == "succeeded",
    )
    return bool(connection.execute(select(later)).scalar())


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
