"""Runs in an order, a page at a time, by keys: the page after a run is as quick as the first.

Runs are ordered in phases: those with a number in the column, those with a word, those without either. Each
phase walks one index. The best of several values counts (of a matrix, of several projects).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    not_,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.expression import FromClause

from lockgate.hub.search.known import Known
from lockgate.hub.search.tables import run_values, runs

#: More runs are not counted.
MOST_COUNTED = 1_000
_GROUP = 100

_OWN: dict[str, ColumnElement[Any]] = {
    "run": runs.c.id,
    "project": runs.c.project,
    "state": runs.c.state,
    "branch": runs.c.branch,
    "commit": runs.c.commit,
    "member": runs.c.member,
    "cause": runs.c.cause,
    "created": runs.c.created_at,
    "seconds": runs.c.seconds,
}


class Order(msgspec.Struct, frozen=True):
    """By what: a run's own column, or these names of parameters and metrics."""

    column: str
    is_descending: bool
    names: tuple[int, ...] = ()


class Cursor(msgspec.Struct, frozen=True):
    """Where a page ended."""

    sort: str
    phase: int
    key: float | str | None
    number: int


class Found(msgspec.Struct, frozen=True):
    """One run, and where it stands in the order."""

    phase: int
    key: float | str | None
    number: int


def find_runs(
    connection: Connection,
    known: Known,
    condition: ColumnElement[bool] | None,
    order: Order,
    cursor: Cursor | None,
    limit: int,
) -> list[Found]:
    """Return the numbers of the runs that follow the cursor, in order."""
    found: list[Found] = []
    projects = list(known.projects)
    if not projects:
        return found
    first = cursor.phase if cursor is not None else 0
    for phase in range(first, 3):
        after = cursor if cursor is not None and cursor.phase == phase else None
        question = _phase(phase, projects, condition, order, after, limit - len(found))
        if question is not None:
            found += [Found(phase, row.key, row.number) for row in connection.execute(question)]
        if len(found) >= limit:
            break
    return found


def count_runs(
    connection: Connection, known: Known, condition: ColumnElement[bool] | None, most: int = MOST_COUNTED
) -> int | None:
    """Return how many runs there are; None: more than `most`. Where a filter is given nothing is counted."""
    if condition is not None:
        return None
    question = select(runs.c.number).where(runs.c.project.in_(list(known.projects))).limit(most + 1)
    count = connection.execute(select(func.count()).select_from(question.subquery())).scalar_one()
    return int(count) if count <= most else None


def _phase(
    phase: int,
    projects: Sequence[int],
    condition: ColumnElement[bool] | None,
    order: Order,
    after: Cursor | None,
    limit: int,
) -> Select[Any] | None:
    if order.names:
        return _by_values(phase, projects, condition, order, after, limit)
    column = _OWN[order.column]
    if phase == 0:
        arms = [
            _limited(
                select(runs.c.number.label("number"), column.label("key")).where(runs.c.project == project),
                [condition, column.is_not(None), _after(column, runs.c.number, order, after)],
                (column, runs.c.number),
                order,
                limit,
            )
            for project in projects
        ]
        return _merged(arms, order, limit)
    if phase == 2 and order.column in ("seconds", "cause"):
        return _absent(projects, [condition, column.is_(None)], after, limit)
    return None


def _by_values(
    phase: int,
    projects: Sequence[int],
    condition: ColumnElement[bool] | None,
    order: Order,
    after: Cursor | None,
    limit: int,
) -> Select[Any]:
    if phase == 2:
        has_one = exists().where(run_values.c.run == runs.c.number, run_values.c.name.in_(order.names))
        return _absent(projects, [condition, not_(has_one)], after, limit)
    mine = run_values.alias("mine")
    key = mine.c.value if phase == 0 else mine.c.word
    arms = []
    for name in order.names:
        wanted = [
            condition,
            key.is_not(None),
            mine.c.value.is_(None) if phase == 1 else None,
            _after(key, mine.c.run, order, after),
            _is_best(mine, order, phase) if phase == 0 or len(order.names) > 1 else None,
        ]
        arms.append(
            _limited(
                select(mine.c.run.label("number"), key.label("key"))
                .join(runs, runs.c.number == mine.c.run)
                .where(mine.c.name == name),
                wanted,
                (key, mine.c.run),
                order,
                limit,
            )
        )
    return _merged(arms, order, limit)


def _is_best(mine: FromClause, order: Order, phase: int) -> ColumnElement[bool]:
    """Whether no other value of the run comes before this one."""
    other = run_values.alias("other")
    key = "value" if phase == 0 else "word"
    here, there = mine.c[key], other.c[key]
    is_same_place = or_(
        other.c.name < mine.c.name, and_(other.c.name == mine.c.name, other.c.place < mine.c.place)
    )
    comes_before = there > here if order.is_descending else there < here
    conditions = [
        other.c.run == mine.c.run,
        other.c.name.in_(order.names),
        or_(comes_before, and_(there == here, is_same_place)),
    ]
    if phase == 1:
        conditions[-1] = or_(other.c.value.is_not(None), conditions[-1])
    return not_(exists().where(*conditions))


def _absent(
    projects: Sequence[int],
    conditions: Sequence[ColumnElement[bool] | None],
    after: Cursor | None,
    limit: int,
) -> Select[Any]:
    """The runs that do not have the column, the newest first."""
    order = Order("created", is_descending=True)
    key = runs.c.created_at
    arms = [
        _limited(
            select(runs.c.number.label("number"), key.label("key")).where(runs.c.project == project),
            [*conditions, _after(key, runs.c.number, order, after)],
            (key, runs.c.number),
            order,
            limit,
        )
        for project in projects
    ]
    return _merged(arms, order, limit)


def _after(
    key: ColumnElement[Any], number: ColumnElement[int], order: Order, after: Cursor | None
) -> ColumnElement[bool] | None:
    if after is None:
        return None
    # Both halves say where in the index to begin; an `or` alone would not
    if order.is_descending:
        return and_(key <= after.key, or_(key < after.key, number < after.number))
    return and_(key >= after.key, or_(key > after.key, number > after.number))


def _limited(
    question: Select[Any],
    conditions: Sequence[ColumnElement[bool] | None],
    by: tuple[ColumnElement[Any], ColumnElement[int]],
    order: Order,
    limit: int,
) -> Select[Any]:
    kept = [each for each in conditions if each is not None]
    ordered = [each.desc() if order.is_descending else each.asc() for each in by]
    return question.where(*kept).order_by(*ordered).limit(limit)


def _merged(arms: Sequence[Select[Any]], order: Order, limit: int) -> Select[Any]:
    """The first of each arm are enough for the first of all."""
    return merged(arms, ("key", "number"), order.is_descending, limit)


def merged(arms: Sequence[Select[Any]], by: Sequence[str], is_descending: bool, limit: int) -> Select[Any]:
    """Return the first rows of several questions, each of which is ordered by these columns and limited.

    In groups: SQLite takes 500 questions in one (sqlite.org/limits.html, SQLITE_MAX_COMPOUND_SELECT).
    """
    if len(arms) == 1:
        return arms[0]
    if len(arms) > _GROUP:
        groups = [arms[at : at + _GROUP] for at in range(0, len(arms), _GROUP)]
        return merged([merged(group, by, is_descending, limit) for group in groups], by, is_descending, limit)
    parts = [select(arm.subquery(f"arm_{number}")) for number, arm in enumerate(arms)]
    together = union_all(*parts).subquery("together")
    ordered = [together.c[name].desc() if is_descending else together.c[name].asc() for name in by]
    return select(together).order_by(*ordered).limit(limit)
