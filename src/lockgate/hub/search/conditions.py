"""A parsed filter as a condition on rows of `runs`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, true

from lockgate.hub.search.filters import (
    And,
    Comparison,
    Day,
    Everything,
    Expression,
    Not,
    Or,
    Today,
    Word,
    day_of,
)
from lockgate.hub.search.known import Known
from lockgate.hub.search.tables import run_values, runs

Condition = ColumnElement[bool]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OWN = {
    "run": runs.c.id,
    "state": runs.c.state,
    "branch": runs.c.branch,
    "commit": runs.c.commit,
    "member": runs.c.member,
    "cause": runs.c.cause,
    "created": runs.c.created_at,
    "seconds": runs.c.seconds,
}


def condition_of(known: Known, expression: Expression, now: float) -> Condition:
    """Return the condition. Raises `UserError` (`filter-invalid`) for a column that no run has."""
    if isinstance(expression, Everything):
        return true()
    if isinstance(expression, Not):
        # Without a value a comparison is unknown to SQL, and so would be its opposite
        return not_(func.coalesce(condition_of(known, expression.inner, now), False))
    if isinstance(expression, And):
        return and_(*(condition_of(known, part, now) for part in expression.parts))
    if isinstance(expression, Or):
        return or_(*(condition_of(known, part, now) for part in expression.parts))
    value = day_of(expression.value, now) if isinstance(expression.value, Today) else expression.value
    if expression.column == "project":
        return _of_project(known, expression, value)
    if expression.column in _OWN:
        return of_own(expression, value)
    return exists().where(run_values.c.run == runs.c.number, of_value(known, expression, value))


def is_of_value(expression: Comparison) -> bool:
    """Whether a comparison is of a parameter or a metric."""
    return expression.column != "project" and expression.column not in _OWN


def _of_project(known: Known, expression: Comparison, value: Word | Day) -> Condition:
    text = value.text if isinstance(value, Word) else ""
    is_inside = expression.operator in ("~", "!~")
    found = [
        number
        for number, name in known.projects.items()
        if (text.lower() in name.lower() if is_inside else text == name)
    ]
    condition = runs.c.project.in_(found)
    return not_(condition) if expression.operator.startswith("!") else condition


def of_own(expression: Comparison, value: Word | Day) -> Condition:
    """Return the condition of a run's own column."""
    column, name = _OWN[expression.column], expression.column
    if isinstance(value, Day):
        return _of_moment(column, expression.operator, value)
    if name == "seconds":
        return _COMPARE[expression.operator](column, value.number)  # type: ignore[no-any-return]
    text = value.text
    if expression.operator in ("~", "!~"):
        found = _contains(column, text)
        return not_(func.coalesce(found, False)) if expression.operator == "!~" else found
    if name in ("run", "commit"):
        # Ids are written short: a run by its end, a commit by its beginning
        escaped = _escaped(text.upper() if name == "run" else text.lower())
        found = column.like(f"%{escaped}" if name == "run" else f"{escaped}%", escape="\\")
        return not_(found) if expression.operator == "!=" else found
    if expression.operator == "!=":
        return or_(column != text, column.is_(None))
    return column == text


def _of_moment(column: ColumnElement[float], sign: str, day: Day) -> Condition:
    is_in = and_(column >= day.start, column < day.end)
    return {
        "=": is_in,
        "!=": not_(is_in),
        "<": column < day.start,
        "<=": column < day.end,
        ">": column >= day.end,
        ">=": column >= day.start,
    }[sign]


def of_value(known: Known, expression: Comparison, value: Word | Day) -> Condition:
    """Return the condition of a value of a run. Raises `UserError` (`filter-invalid`)."""
    assert isinstance(value, Word)
    numbers = known.numbers_of(expression.column)
    named = run_values.c.name == numbers[0] if len(numbers) == 1 else run_values.c.name.in_(numbers)
    return and_(named, _fits(expression, value))


def _fits(expression: Comparison, value: Word) -> Condition:
    sign, number, text = expression.operator, value.number, value.text
    if sign in ("<", "<=", ">", ">="):
        return _COMPARE[sign](run_values.c.value, number)  # type: ignore[no-any-return]
    if sign in ("~", "!~"):
        found = _contains(run_values.c.word, text)
        return not_(func.coalesce(found, False)) if sign == "!~" else found
    if number is None:
        word = run_values.c.word
        return word == text if sign == "=" else or_(word != text, word.is_(None))
    if sign == "=":
        return run_values.c.value == number
    return or_(run_values.c.value != number, run_values.c.value.is_(None))


def _contains(column: ColumnElement[str], text: str) -> Condition:
    """Case does not count for letters of ASCII, the same on every database."""
    return func.lower(column).like(f"%{_escaped(_lower(text))}%", escape="\\")


def _lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("\0", "")
