"""The first rows of several projects together: of each project's index only its beginning is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, select, true

from lockgate.hub.search.tables import activities, runs
from lockgate.hub.search.tables import projects as projects_table

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
) -> Select[Any]:
    """Return the question for columns of the first rows of a table, in order of `key`, then of its number.

    An index is to begin with the project and go on as the conditions and the key do. `limit_each`: at most so
    many of one project. All columns are the table's own, and so are those that conditions are about.
    """
    table = key.table
    number = table.c.number
    inner = select(*columns).where(*conditions).order_by(*_in_order(key, number, is_descending))
    if len(projects) == 1:
        return inner.where(table.c.project == projects[0]).limit(min(limit, limit_each or limit))
    inner = inner.where(table.c.project == _EACH.c.number).limit(limit_each or limit)
    if connection.dialect.name == "postgresql":
        top: Any = inner.with_only_columns(*{*columns, key, number}).lateral("top")
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
