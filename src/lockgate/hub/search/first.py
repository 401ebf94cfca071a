"""The first rows of several projects together: of each project's index only its beginning is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, select, true

from lockgate.hub.search.tables import activities, runs
from lockgate.hub.search.tables import projects as projects_table

#: Rows of some projects in order, as many at most, so many at most of one project.
Ask = Callable[[Sequence[int], int, int], Iterable[Row[Any]]]

#: So many rows of each project are asked for beyond twice its part of a page: a short page is one question.
_MORE = 10

# Made once: an alias is slow to make
_EACH = projects_table.alias("each_project")
_TOP = {table: table.alias("top") for table in (runs, activities)}


def first_rows(
    connection: Connection,
    columns: Sequence[Column[Any]],
    projects: Sequence[int],
    conditions: Sequence[ColumnElement[bool]],
    key: Column[Any],
    limit: int,
    *,
    is_descending: bool = True,
    limit_each: int | None = None,
) -> list[Row[Any]]:
    """Return columns of the first rows of a table, in order of `key`, then of its number.

    An index is to begin with the project and go on as the conditions and the key do. `limit_each`: at most so
    many of one project. All columns are the table's own, and so are those that conditions are about; project,
    number and key are among them.
    """

    def ask(asked: Sequence[int], most: int, most_each: int) -> Iterable[Row[Any]]:
        question = _question(
            connection, columns, asked, conditions, key, most, most_each, is_descending=is_descending
        )
        return connection.execute(question)

    if limit_each is not None:
        return list(ask(projects, limit, limit_each))
    return in_rounds(ask, projects, limit, key.key, "number", is_descending=is_descending)


def in_rounds(
    ask: Ask, projects: Sequence[int], limit: int, key: str, number: str, *, is_descending: bool
) -> list[Row[Any]]:
    """Return the first rows, with few of each project asked for first, and more of those that gave them all.

    Most projects give a page only some of its rows; finding more of each is the most of the work. `key` and
    `number` are the columns that rows are in order of; `project` is another.
    """
    found: list[Row[Any]] = []
    each = 2 * limit // max(1, len(projects)) + _MORE
    while projects:
        each = min(each, limit)
        rows = list(ask(projects, limit, each))
        if found:
            rows = sorted([*found, *rows], key=attrgetter(key, number), reverse=is_descending)[:limit]
        if each == limit:
            return rows
        given = Counter(row.project for row in rows)
        more = {project for project in projects if given[project] >= each}
        found = [row for row in rows if row.project not in more]
        projects = list(more)
        each *= 4
    return found


def _question(
    connection: Connection,
    columns: Sequence[Column[Any]],
    projects: Sequence[int],
    conditions: Sequence[ColumnElement[bool]],
    key: Column[Any],
    limit: int,
    limit_each: int,
    *,
    is_descending: bool,
) -> Select[Any]:
    table = key.table
    number = table.c.number
    inner = select(*columns).where(*conditions).order_by(*_in_order(key, number, is_descending))
    if len(projects) == 1:
        return inner.where(table.c.project == projects[0]).limit(min(limit, limit_each))
    inner = inner.where(table.c.project == _EACH.c.number).limit(limit_each)
    if connection.dialect.name == "postgresql":
        top: Any = inner.lateral("top")
        joined = _EACH.join(top, true())
    else:
        # SQLite has no `lateral`; it looks up the rows of a list that it makes for each project
        top = _TOP[table]
        joined = _EACH.join(top, top.c.number.in_(inner.with_only_columns(number).correlate(_EACH)))
    return (
        select(*(top.c[column.key] for column in columns))
        .select_from(joined)
        .where(_EACH.c.number.in_(projects))
        .order_by(*_in_order(top.c[key.key], top.c.number, is_descending))
        .limit(limit)
    )


def _in_order(
    key: ColumnElement[Any], number: ColumnElement[int], is_descending: bool
) -> tuple[ColumnElement[Any], ...]:
    return (key.desc(), number.desc()) if is_descending else (key.asc(), number.asc())
