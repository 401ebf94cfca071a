"""What was executed in notebooks: the cells of a sitting, one of them whole, and the ways back to it."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Redirect

from lockgate.errors import UserError
from lockgate.hub.going_back import back_to, branch_from
from lockgate.hub.search.cells import cells_of, find_cell
from lockgate.hub.search.feed import FeedEntry
from lockgate.hub.worktree.journal_entry import read_cell
from lockgate.web.artifact_answer import picture_answer
from lockgate.web.pages.branches import is_branch
from lockgate.web.pages.forms import read_form
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
    found = cells_of(service.database, project, entry, page)
    return render(
        request,
        "sitting.html",
        project=project,
        tab="activity",
        found=found,
        where=_notebook_of(found.sitting),
        is_notebook=True,
    )


@get("/p/{project:str}/cells/{entry:str}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, entry: str
) -> Response[bytes]:
    """One cell, whole, and the ways back to it."""
    visitor.require("read", project)
    found = find_cell(service.database, project, entry)
    repository = service.hub.repository(project)
    branch = (found.sitting.ref or "").removeprefix("refs/heads/")
    return render(
        request,
        "cell.html",
        project=project,
        tab="activity",
        line=found.line,
        sitting=found.sitting,
        content=read_cell(repository, found.line.entry),
        branch=branch if branch and is_branch(repository, branch) else "",
        may_go_back=visitor.may("rollback", project),
        where=_notebook_of(found.sitting),
        is_notebook=True,
    )


@post("/p/{project:str}/cells/{entry:str}/branch", include_in_schema=False)
async def branch(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, entry: str
) -> Redirect:
    """A new branch that begins at the work tree as it was when this cell ran."""
    visitor.require("push", project)
    name = (await read_form(request)).one("name")
    state, actor = await asyncio.to_thread(_state_of, service, project, entry), visitor.require_known()
    await asyncio.to_thread(branch_from, service.hub, project, name, state, actor)
    return Redirect(service.url(f"/p/{project}/files?at={quote(name, safe='')}"), status_code=303)


@post("/p/{project:str}/cells/{entry:str}/back", include_in_schema=False)
async def back(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, entry: str
) -> Redirect:
    """One commit that makes a branch as the work tree was when this cell ran."""
    visitor.require("rollback", project)
    name = (await read_form(request)).one("branch")
    state, actor = await asyncio.to_thread(_state_of, service, project, entry), visitor.require_known()
    moved = await asyncio.to_thread(back_to, service.hub, project, name, state, actor, visitor.email)
    path = f"runs/{moved.run}" if moved.run else f"commits/{moved.commit}"
    return Redirect(service.url(f"/p/{project}/{path}"), status_code=303)


def _state_of(service: Service, project: str, entry: str) -> str:
    """Return what names the state of a cell. Raises `UserError` (`entry-unknown`)."""
    return find_cell(service.database, project, entry).line.entry


def _notebook_of(sitting: FeedEntry) -> str:
    """Return what the link to Jupyter is to open; "": the project."""
    return (sitting.detail.sitting.notebook or "") if sitting.detail.sitting else ""


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


handlers = [show_sitting, show, branch, back, show_picture]
