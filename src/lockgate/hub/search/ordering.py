"""Runs in an order, a page at a time, by keys: the page after a run is as quick as the first.

Runs are ordered in phases: those with a number in the column, those with a word, those without either. Each
phase walks one index. The best of several values counts (of a matrix, of several projects).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    exists,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.sql.expression import FromClause

from lockgate.hub.search.first import first_rows, in_rounds
from lockgate.hub.search.known import Known
from lockgate.hub.search.narrowing import is_among
from lockgate.hub.search.tables import project_names, run_values, runs

#: More runs are not counted.
MOST_COUNTED = 1_000

_OWN: dict[str, Column[Any]] = {
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


# Made once: an alias is slow to make
_EACH = project_names.alias("each_name")
_MINE, _FOUND, _OTHER = (run_values.alias(name) for name in ("mine", "found", "other"))


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


class _Asked(NamedTuple):
    """Of which projects, and which of their runs; `few`: those that may fit, where they are known."""

    connection: Connection
    projects: Sequence[int]
    condition: ColumnElement[bool] | None
    few: Sequence[int] | None


def find_runs(
    connection: Connection,
    known: Known,
    condition: ColumnElement[bool] | None,
    few: Sequence[int] | None,
    order: Order,
    cursor: Cursor | None,
    limit: int,
) -> list[Found]:
    """Return the numbers of the runs that follow the cursor, in order. `few`: those that may fit; without a
    condition all of them do."""
    found: list[Found] = []
    if not known.projects or (few is not None and not few):
        return found
    asked = _Asked(connection, list(known.projects), condition, few)
    first = cursor.phase if cursor is not None else 0
    for phase in range(first, 3):
        after = cursor if cursor is not None and cursor.phase == phase else None
        rows = _phase(asked, phase, order, after, limit - len(found))
        found += [Found(phase, key, number) for number, key, *_ in map(tuple, rows)]
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


def _phase(asked: _Asked, phase: int, order: Order, after: Cursor | None, limit: int) -> Sequence[Row[Any]]:
    """Return number and key of the first runs of a phase."""
    if order.names and phase < 2:
        return _by_value(asked, phase, order, after, limit)
    if order.names:
        has_one = exists().where(run_values.c.run == runs.c.number, run_values.c.name.in_(order.names))
        return _absent(asked, not_(has_one), after, limit)
    column = _OWN[order.column]
    if phase == 0:
        return _by_own(asked, column.is_not(None), column, order, after, limit)
    if phase == 2 and order.column in ("seconds", "cause"):
        return _absent(asked, column.is_(None), after, limit)
    return ()


def _by_own(
    asked: _Asked,
    wanted: ColumnElement[bool],
    key: Column[Any],
    order: Order,
    after: Cursor | None,
    limit: int,
) -> Sequence[Row[Any]]:
    conditions = [asked.condition, wanted, _after(key, runs.c.number, order, after)]
    if asked.few is not None:
        gathered = select(runs.c.number, key)
        conditions.append(is_among(asked.connection, runs.c.number, asked.few))
        question = _limited(gathered, conditions, (key, runs.c.number), order, limit)
        return asked.connection.execute(question).all()
    columns = (runs.c.number, key) if key is runs.c.project else (runs.c.number, key, runs.c.project)
    kept = [each for each in conditions if each is not None]
    return first_rows(
        asked.connection, columns, asked.projects, kept, key, limit, is_descending=order.is_descending
    )


def _by_value(
    asked: _Asked, phase: int, order: Order, after: Cursor | None, limit: int
) -> Sequence[Row[Any]]:
    """Of each name in each project its part of the index is walked from its beginning, or from the cursor."""
    mine, each = _MINE, _EACH
    key = mine.c.value if phase == 0 else mine.c.word
    by = (key, mine.c.run)
    wanted = [asked.condition, *_in_phase(mine, order, phase), _after(key, mine.c.run, order, after)]
    walked = select(mine.c.run.label("number"), key.label("key"), mine.c.project)
    if asked.condition is not None:
        walked = walked.join(runs, runs.c.number == mine.c.run)
    if asked.few is not None:
        if phase == 0:
            return _of_few(asked, asked.few, order, after, limit)
        number = mine.c.run if asked.condition is None else runs.c.number
        own = [*wanted, mine.c.name.in_(order.names), is_among(asked.connection, number, asked.few)]
        gathered = _limited(walked, own, by, order, limit)
        return asked.connection.execute(gathered).all()

    def ask(projects: Sequence[int], most: int, most_each: int) -> Iterable[Row[Any]]:
        if len(projects) == len(order.names) == 1:
            own = [*wanted, mine.c.project == projects[0], mine.c.name == order.names[0]]
            return asked.connection.execute(_limited(walked, own, by, order, min(most, most_each)))
        own = [*wanted, mine.c.project == each.c.project, mine.c.name == each.c.name]
        inner = _limited(walked, own, by, order, most_each)
        question, by_each = _of_each(asked.connection, inner, order, phase)
        pairs = [each.c.project.in_(projects), each.c.name.in_(order.names)]
        return asked.connection.execute(_limited(question, pairs, by_each, order, most))

    return in_rounds(ask, asked.projects, limit, "key", "number", is_descending=order.is_descending)


def _of_few(
    asked: _Asked, few: Sequence[int], order: Order, after: Cursor | None, limit: int
) -> Sequence[Row[Any]]:
    """Of few runs all numbers in the column are looked up once, and the best of each run counts."""
    mine = _MINE
    number = mine.c.run
    key = func.max(mine.c.value) if order.is_descending else func.min(mine.c.value)
    question = select(number.label("number"), key.label("key"))
    wanted: list[ColumnElement[bool]] = [mine.c.name.in_(order.names), mine.c.value.is_not(None)]
    if asked.condition is not None:
        number = runs.c.number
        question = question.join(runs, number == mine.c.run)
        wanted.append(asked.condition)
    question = question.group_by(mine.c.run)
    if (place := _after(key, mine.c.run, order, after)) is not None:
        question = question.having(place)
    own = [*wanted, is_among(asked.connection, number, few)]
    return asked.connection.execute(_limited(question, own, (key, mine.c.run), order, limit)).all()


def _of_each(
    connection: Connection, inner: Select[Any], order: Order, phase: int
) -> tuple[Select[Any], tuple[ColumnElement[Any], ColumnElement[int]]]:
    """Return the question for the rows that `inner` gives for each name in each project, and their order."""
    if connection.dialect.name == "postgresql":
        top: Any = inner.lateral("top")
        question = select(top.c.number, top.c.key, top.c.project).select_from(_EACH.join(top, true()))
        return question, (top.c.key, top.c.number)
    # SQLite has no `lateral`; it looks up the rows of a list that it makes for each
    found = _FOUND
    listed = inner.with_only_columns(_MINE.c.run).correlate(_EACH)
    is_listed = and_(found.c.name == _EACH.c.name, found.c.run.in_(listed), *_in_phase(found, order, phase))
    by = (found.c.value if phase == 0 else found.c.word, found.c.run)
    question = select(by[1].label("number"), by[0].label("key"), found.c.project)
    return question.select_from(_EACH.join(found, is_listed)), by


def _in_phase(mine: FromClause, order: Order, phase: int) -> list[ColumnElement[bool]]:
    """Whether a value is of this phase, and the best of its run."""
    if phase == 0:
        return [mine.c.value.is_not(None), _is_best(mine, order, phase)]
    return [mine.c.word.is_not(None), mine.c.value.is_(None), _is_best(mine, order, phase)]


def _is_best(mine: FromClause, order: Order, phase: int) -> ColumnElement[bool]:
    """Whether no other value of the run comes before this one."""
    other = _OTHER
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
    asked: _Asked, lacks: ColumnElement[bool], after: Cursor | None, limit: int
) -> Sequence[Row[Any]]:
    """The runs that do not have the column, the newest first."""
    newest = Order("created", is_descending=True)
    return _by_own(asked, lacks, runs.c.created_at, newest, after, limit)


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
