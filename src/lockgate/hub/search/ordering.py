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
    true,
    union_all,
)
from sqlalchemy.sql.expression import FromClause

from lockgate.hub.search.first import first_rows
from lockgate.hub.search.known import Known
from lockgate.hub.search.tables import names as names_table
from lockgate.hub.search.tables import run_values, runs

#: More runs are not counted.
MOST_COUNTED = 1_000
#: SQLite takes 500 questions in one (sqlite.org/limits.html, SQLITE_MAX_COMPOUND_SELECT).
_MOST_ARMS = 400

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
        question = _phase(connection, phase, projects, condition, order, after, limit - len(found))
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
    connection: Connection,
    phase: int,
    projects: Sequence[int],
    condition: ColumnElement[bool] | None,
    order: Order,
    after: Cursor | None,
    limit: int,
) -> Select[Any] | None:
    if order.names:
        return _by_values(connection, phase, projects, condition, order, after, limit)
    column = _OWN[order.column]
    if phase == 0:
        wanted = [condition, column.is_not(None), _after(column, runs.c.number, order, after)]
        return _of_projects(connection, projects, wanted, column, limit, is_descending=order.is_descending)
    if phase == 2 and order.column in ("seconds", "cause"):
        return _absent(connection, projects, [condition, column.is_(None)], after, limit)
    return None


def _of_projects(
    connection: Connection,
    projects: Sequence[int],
    conditions: Sequence[ColumnElement[bool] | None],
    key: ColumnElement[Any],
    limit: int,
    *,
    is_descending: bool,
) -> Select[Any]:
    kept = [each for each in conditions if each is not None]
    rows = first_rows(connection, runs, projects, kept, key, limit, is_descending=is_descending)
    chosen = {each.key: each for each in rows.selected_columns}
    return rows.with_only_columns(chosen["number"].label("number"), chosen[key.key or ""].label("key"))


def _by_values(
    connection: Connection,
    phase: int,
    projects: Sequence[int],
    condition: ColumnElement[bool] | None,
    order: Order,
    after: Cursor | None,
    limit: int,
) -> Select[Any]:
    if phase == 2:
        has_one = exists().where(run_values.c.run == runs.c.number, run_values.c.name.in_(order.names))
        return _absent(connection, projects, [condition, not_(has_one)], after, limit)
    mine = run_values.alias("mine")
    key = mine.c.value if phase == 0 else mine.c.word
    wanted = [
        condition,
        *_in_phase(mine, order, phase),
        _after(key, mine.c.run, order, after),
    ]
    inner = _limited(
        select(mine.c.run.label("number"), key.label("key")).join(runs, runs.c.number == mine.c.run),
        wanted,
        (key, mine.c.run),
        order,
        limit,
    )
    if len(order.names) == 1:
        return inner.where(mine.c.name == order.names[0])
    if connection.dialect.name == "postgresql":
        each = names_table.alias("each_name")
        top: Any = inner.where(mine.c.name == each.c.number).lateral("top")
        question = select(top.c.number, top.c.key).select_from(each.join(top, true()))
        question = question.where(each.c.number.in_(order.names))
        return _limited(question, (), (top.c.key, top.c.number), order, limit)
    # SQLite has no `lateral`
    arms = [inner.where(mine.c.name == name).subquery(f"arm_{name}") for name in order.names[:_MOST_ARMS]]
    together = union_all(*(select(arm) for arm in arms)).subquery("together")
    question = select(together.c.number, together.c.key)
    return _limited(question, (), (together.c.key, together.c.number), order, limit)


def _in_phase(mine: FromClause, order: Order, phase: int) -> list[ColumnElement[bool]]:
    """Whether a value is of this phase, and the best of its run."""
    if phase == 0:
        return [mine.c.value.is_not(None), _is_best(mine, order, phase)]
    return [mine.c.word.is_not(None), mine.c.value.is_(None), _is_best(mine, order, phase)]


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
    connection: Connection,
    projects: Sequence[int],
    conditions: Sequence[ColumnElement[bool] | None],
    after: Cursor | None,
    limit: int,
) -> Select[Any]:
    """The runs that do not have the column, the newest first."""
    key = runs.c.created_at
    newest = Order("created", is_descending=True)
    wanted = [*conditions, _after(key, runs.c.number, newest, after)]
    return _of_projects(connection, projects, wanted, key, limit, is_descending=True)


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
