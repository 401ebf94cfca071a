"""What was executed in notebooks: cells of a sitting, one of them with its code and output, its pictures."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import Parameter

from lockgate.errors import UserError
from lockgate.hub.search.cells import LONGEST_PAGE, CellsPage, cells_of, find_cell
from lockgate.hub.search.detail import CellLine
from lockgate.hub.search.feed import FeedEntry
from lockgate.hub.worktree.journal_entry import read_cell
from lockgate.web.artifact_answer import picture_answer
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class WholeCell(msgspec.Struct, frozen=True, kw_only=True):
    """One executed cell with all its code, and the end of what it printed."""

    line: CellLine
    code: str
    output: str
    sitting: FeedEntry


@get("/projects/{project:str}/sittings/{entry:str}", sync_to_thread=True)
def of_sitting(
    service: Service,
    visitor: Visitor,
    project: str,
    entry: str,
    page: Annotated[int, Parameter(ge=1)] | None = None,
    limit: Annotated[int, Parameter(ge=1, le=LONGEST_PAGE)] = 50,
) -> CellsPage:
    """The cells that were executed in one sitting with this one, the newest first."""
    visitor.require("read", project)
    service.catch_up()
    return cells_of(service.database, project, entry, page, limit)


@get("/projects/{project:str}/cells/{entry:str}", sync_to_thread=True)
def show(service: Service, visitor: Visitor, project: str, entry: str) -> WholeCell:
    """One executed cell, whole."""
    visitor.require("read", project)
    service.catch_up()
    found = find_cell(service.database, project, entry)
    content = read_cell(service.hub.repository(project), found.line.entry)
    return WholeCell(line=found.line, code=content.code, output=content.output, sitting=found.sitting)


@get("/projects/{project:str}/cells/{entry:str}/pictures/{number:int}", sync_to_thread=True)
def picture(service: Service, visitor: Visitor, project: str, entry: str, number: int) -> Response[bytes]:
    """A picture that a cell showed, counted from 0."""
    visitor.require("read", project)
    line = find_cell(service.database, project, entry).line
    if not 0 <= number < len(line.pictures):
        raise UserError(
            f"the cell {entry[:10]} showed no picture {number}",
            f"It showed {len(line.pictures)}.",
            code="entry-unknown",
        )
    return picture_answer(service, project, line.entry, line.pictures[number])


handlers = [of_sitting, show, picture]
