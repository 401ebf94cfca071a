"""The few runs that a filter can let through at all, where an index tells them quickly.

A page is found in two ways: runs are walked in order and each is asked whether it fits, quick where many do;
or those that may fit are gathered and put in order, quick where they are few.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    any_,
    bindparam,
    func,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from lockgate.hub.search.conditions import is_of_value, of_own, of_value
from lockgate.hub.search.filters import And, Comparison, Day, Expression, Or, Today, Word, day_of
from lockgate.hub.search.known import Known
from lockgate.hub.search.tables import run_values, runs

#: More runs than these are not gathered.
FEW = 3_500
#: A page is so many rows. Where `count` of all runs fit, walking looks at `_PAGE` x all / `count` of them.
_PAGE = 64
#: So many runs are counted to know how many there are.
_MOST_COUNTED = 20_000

#: A run's own columns that an index has, and by which comparisons it is found there.
_INDEXED = {
    "state": ("=",),
    "member": ("=",),
    "branch": ("=",),
    "created": ("=", "<", "<=", ">", ">="),
    "seconds": ("=", "<", "<=", ">", ">="),
}

#: A question for numbers of runs, and how many they are.
_Found = tuple[int, Select[Any]]


def few_runs(connection: Connection, known: Known, expression: Expression, now: float) -> list[int] | None:
    """Return the numbers of runs among which are all that fit; None: walking is quicker."""
    found = _few(connection, known, expression, now)
    if found is None:
        return None
    count, question = found
    if not count:
        return []
    if not _has_more_runs(connection, known, min(count * count // _PAGE, _MOST_COUNTED)):
        return None
    return sorted(set(connection.execute(question).scalars()))


def tells_all(expression: Expression) -> bool:
    """Whether the runs that `few_runs` gives for a filter are just those that fit."""
    if isinstance(expression, Or):
        return all(tells_all(part) for part in expression.parts)
    return isinstance(expression, Comparison)


def is_among(connection: Connection, column: Column[int], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a column is one of these, given to the database as one value."""
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam(None, list(numbers), type_=ARRAY(BigInteger)))
    each = func.json_each(json.dumps(list(numbers))).table_valued("value")
    return column.in_(select(each.c.value))


def _has_more_runs(connection: Connection, known: Known, count: int) -> bool:
    of_projects = select(runs.c.number).where(runs.c.project.in_(list(known.projects)))
    return connection.execute(of_projects.offset(count).limit(1)).first() is not None


def _few(connection: Connection, known: Known, expression: Expression, now: float) -> _Found | None:
    if isinstance(expression, And):
        parts = [_few(connection, known, part, now) for part in expression.parts]
        return min((part for part in parts if part is not None), key=lambda part: part[0], default=None)
    if isinstance(expression, Or):
        found = []
        for part in expression.parts:
            if (one := _few(connection, known, part, now)) is None:
                return None
            found.append(one)
        count = sum(part[0] for part in found)
        if count > FEW:
            return None
        either = union_all(*(question for _, question in found)).subquery()
        return count, select(either)
    if isinstance(expression, Comparison):
        return _counted(connection, known, expression, now)
    return None


def _counted(connection: Connection, known: Known, expression: Comparison, now: float) -> _Found | None:
    value: Word | Day = (
        day_of(expression.value, now) if isinstance(expression.value, Today) else expression.value
    )
    projects = list(known.projects)
    if expression.column in _INDEXED:
        if expression.operator not in _INDEXED[expression.column]:
            return None
        question = select(runs.c.number).where(runs.c.project.in_(projects), of_own(expression, value))
    elif is_of_value(expression):
        fits = of_value(known, expression, value)
        question = select(run_values.c.run).where(run_values.c.project.in_(projects), fits)
    else:
        return None
    most = question.limit(FEW + 1).subquery()
    count = connection.execute(select(func.count()).select_from(most)).scalar_one()
    return (count, question) if count <= FEW else None
