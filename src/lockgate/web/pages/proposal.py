"""A proposal: what it changes, and a lead's answer to it."""

from __future__ import annotations

import asyncio

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Redirect

from lockgate.git.objects import EMPTY_TREE
from lockgate.hub.pushing.proposals import accept, decline, find_proposal
from lockgate.web.pages.changes import diff_of
from lockgate.web.pages.forms import read_form
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


@get("/p/{project:str}/settings/proposals/{proposal:str}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, proposal: str
) -> Response[bytes]:
    """A proposal, with buttons for who may decide."""
    visitor.require("read", project)
    found = find_proposal(service.hub, project, proposal)
    repository = service.hub.repository(project)
    return render(
        request,
        "proposal.html",
        project=project,
        tab="settings",
        proposal=found,
        files=diff_of(repository, found.base or EMPTY_TREE, found.commit),
        may_decide=visitor.may("decide-proposal", project),
        is_own=visitor.name == found.member,
        leads=service.book.leads(project),
    )


@post(
    "/p/{project:str}/settings/proposals/{proposal:str}/accept", include_in_schema=False, sync_to_thread=True
)
def say_yes(service: Service, visitor: Visitor, project: str, proposal: str) -> Redirect:
    visitor.require("decide-proposal", project)
    done = accept(service.hub, project, visitor.require_known(), proposal)
    path = f"/p/{project}/runs/{done.runs[0]}" if done.runs else f"/p/{project}/settings?done=accepted"
    return Redirect(service.url(path), status_code=303)


@post("/p/{project:str}/settings/proposals/{proposal:str}/decline", include_in_schema=False)
async def say_no(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, proposal: str
) -> Redirect:
    visitor.require("propose", project)
    reason = (await read_form(request)).one("reason")
    await asyncio.to_thread(decline, service.hub, project, visitor.require_known(), proposal, reason)
    return Redirect(service.url(f"/p/{project}/settings?done=declined"), status_code=303)


handlers = [show, say_yes, say_no]
