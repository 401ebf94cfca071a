"""What was executed: the cells of a sitting, and one of them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select

from lockgate.errors import UserError
from lockgate.hub.search.database import Database
from lockgate.hub.search.detail import CellLine
from lockgate.hub.search.feed import FeedEntry, entry_of
from lockgate.hub.search.known import load_projects
from lockgate.hub.search.tables import activities, cells

_ID = re.compile(r"[0-9a-f]{40,64}")
PAGE = 50
LONGEST_PAGE = 200
_lines = msgspec.json.Decoder(CellLine)


class CellsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some cells of a sitting, the newest first. `page` counts from 1."""

    sitting: FeedEntry
    cells: tuple[CellLine, ...]
    page: int
    pages: int


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell, and the sitting it belongs to."""

    line: CellLine
    sitting: FeedEntry


def cells_of(
    database: Database, project: str, entry: str, page: int | None = None, limit: int = PAGE
) -> CellsPage:
    """Return a page of the cells that were executed in one sitting with this one.

    `page` None: the one that holds it. Raises `UserError` (`entry-unknown`), `OutsideError`
    (`search-unavailable`).
    """
    size = max(1, min(limit, LONGEST_PAGE))
    with database.read() as connection:
        row, sitting = _found(connection, project, entry)
        inside = cells.c.sitting == row.sitting
        count = connection.execute(select(func.count()).select_from(cells).where(inside)).scalar_one()
        pages = -(-count // size)
        if page is None:
            after = select(func.count()).select_from(cells).where(inside, cells.c.number > row.number)
            page = connection.execute(after).scalar_one() // size + 1
        page = max(1, min(page, pages))
        question = select(cells.c.line).where(inside).order_by(cells.c.number.desc())
        found = connection.execute(question.limit(size).offset((page - 1) * size)).scalars()
        return CellsPage(
            sitting=sitting, cells=tuple(_lines.decode(line) for line in found), page=page, pages=pages
        )


def find_cell(database: Database, project: str, entry: str) -> Cell:
    """Return one cell of a project's journals. Raises as `cells_of`."""
    with database.read() as connection:
        row, sitting = _found(connection, project, entry)
        return Cell(line=_lines.decode(row.line), sitting=sitting)


def _found(connection: Connection, project: str, entry: str) -> tuple[Row[Any], FeedEntry]:
    known = load_projects(connection, [project]) if _ID.fullmatch(entry) else {}
    question = select(cells).where(cells.c.project.in_(known), cells.c.entry == entry)
    row = connection.execute(question).first()
    sitting = (
        connection.execute(select(activities).where(activities.c.number == row.sitting)).first()
        if row is not None
        else None
    )
    if row is None or sitting is None:
        raise UserError(
            f"no cell {entry[:10]} was executed in {project}, as far as is known here",
            "It is known once its member has synced; a journal that was rewritten lists others.",
            code="entry-unknown",
        )
    return row, entry_of(sitting, known)
