"""The first rows of several projects together: of each project's index only its beginning is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, select, true

from lockgate.hub.search.tables import projects as projects_table


def first_rows(
    connection: Connection,
    table: Table,
    projects: Sequence[int],
    conditions: Sequence[ColumnElement[bool]],
    key: ColumnElement[Any],
    limit: int,
    *,
    is_descending: bool = True,
    limit_each: int | None = None,
) -> Select[Any]:
    """Return the question for the first rows of a table in order of one of its columns, then of its number.

    An index is to begin with the project and go on as the conditions and the key do. `limit_each`: at most so
    many of one project. Conditions are about columns of the table itself.
    """
    number = table.c.number
    inner = select(table).where(*conditions).order_by(*_in_order(key, number, is_descending))
    if len(projects) == 1:
        return inner.where(table.c.project == projects[0]).limit(min(limit, limit_each or limit))
    each = projects_table.alias("each_project")
    inner = inner.where(table.c.project == each.c.number).limit(limit_each or limit)
    if connection.dialect.name == "postgresql":
        top: Any = inner.lateral("top")
        joined = each.join(top, true())
    else:
        # SQLite has no `lateral`; it looks up the rows of a list that it makes for each project
        top = table.alias("top")
        numbers = inner.with_only_columns(number).correlate(each)
        joined = each.join(top, top.c.number.in_(numbers))
    return (
        select(*top.c)
        .select_from(joined)
        .where(each.c.number.in_(projects))
        .order_by(*_in_order(top.c[key.key or ""], top.c.number, is_descending))
        .limit(limit)
    )


def _in_order(
    key: ColumnElement[Any], number: ColumnElement[int], is_descending: bool
) -> tuple[ColumnElement[Any], ...]:
    return (key.desc(), number.desc()) if is_descending else (key.asc(), number.asc())
