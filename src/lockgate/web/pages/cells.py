"""What was executed in notebooks: the cells of a sitting, and one of them whole."""

from __future__ import annotations

from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.errors import UserError
from lockgate.hub.journal_entry import read_cell
from lockgate.hub.search.cells import cells_of, find_cell
from lockgate.web.artifact_answer import picture_answer
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


@get("/p/{project:str}/sittings/{entry:str}", include_in_schema=False, sync_to_thread=True)
def show_sitting(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    entry: str,
    page: int | None = None,
) -> Response[bytes]:
    """A page of the cells executed in one sitting; without a number the one that holds this cell."""
    visitor.require("read", project)
    return render(
        request,
        "sitting.html",
        project=project,
        tab="activity",
        found=cells_of(service.database, project, entry, page),
    )


@get("/p/{project:str}/cells/{entry:str}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, entry: str
) -> Response[bytes]:
    """One cell, whole, and the ways back to it."""
    visitor.require("read", project)
    found = find_cell(service.database, project, entry)
    return render(
        request,
        "cell.html",
        project=project,
        tab="activity",
        line=found.line,
        sitting=found.sitting,
        content=read_cell(service.hub.repository(project), found.line.entry),
        may_go_back=visitor.may("rollback", project),
    )


@get("/p/{project:str}/cells/{entry:str}/{picture:path}", include_in_schema=False, sync_to_thread=True)
def show_picture(
    service: Service, visitor: Visitor, project: str, entry: str, picture: str
) -> Response[bytes]:
    """A picture that a cell showed, where nothing in it can act."""
    visitor.require("read", project)
    line = find_cell(service.database, project, entry).line
    path = picture.removeprefix("/")
    if path not in line.pictures:
        raise UserError(
            f"the cell {entry[:10]} showed no {path[:60]}", "Look at the cell.", code="entry-unknown"
        )
    return picture_answer(service, project, line.entry, path)


handlers = [show_sitting, show, show_picture]
