"""What a run's page lets one do: cancel, run again, verify, back to here, branch from here."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from litestar import Request, post
from litestar.datastructures import State
from litestar.response import Redirect

from lockgate.errors import UserError
from lockgate.hub.going_back import back_to, branch_from
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run
from lockgate.hub.indexing.rows import Request as RunRequest
from lockgate.hub.proving.verification import Asked, start_verification
from lockgate.hub.push import Options
from lockgate.hub.pushing.own_push import start_run
from lockgate.hub.running.cancel import cancel_run
from lockgate.web.pages.forms import read_form
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


@post("/p/{project:str}/runs/{run:str}/cancel", include_in_schema=False, sync_to_thread=True)
def cancel(service: Service, visitor: Visitor, project: str, run: str) -> Redirect:
    visitor.require("cancel", project)
    done = cancel_run(service.hub, project, run, visitor.name)
    return _to_run(service, project, done.run)


@post("/p/{project:str}/runs/{run:str}/again", include_in_schema=False, sync_to_thread=True)
def again(service: Service, visitor: Visitor, project: str, run: str) -> Redirect:
    """The same commit with the same parameters; what succeeded is known and not made anew."""
    visitor.require("run", project)
    asked = request_of(service, project, run)
    options = Options(
        params=asked.params,
        only=asked.only,
        backend=asked.backend,
        memory_bytes=asked.memory_bytes,
        walltime_s=asked.walltime_s,
        cpus=asked.cpus,
    )
    moved = start_run(service.hub, project, asked.commit, visitor.require_known(), options)
    return _to_run(service, project, moved.run or run)


@post("/p/{project:str}/runs/{run:str}/verify", include_in_schema=False, sync_to_thread=True)
def verify(service: Service, visitor: Visitor, project: str, run: str) -> Redirect:
    """Make the run again from nothing; the page of the run that does so tells what it finds."""
    visitor.require("run", project)
    started = start_verification(service.hub, project, run, Asked(), visitor.name)
    return _to_run(service, project, started.run)


@post("/p/{project:str}/runs/{run:str}/back", include_in_schema=False, sync_to_thread=True)
def back(service: Service, visitor: Visitor, project: str, run: str) -> Redirect:
    visitor.require("rollback", project)
    asked = request_of(service, project, run)
    if not asked.ref.startswith("refs/heads/"):
        raise UserError("this run was of no branch", "Branch from it instead.", code="activity-no-state")
    branch = asked.ref.removeprefix("refs/heads/")
    moved = back_to(service.hub, project, branch, asked.id, visitor.require_known(), visitor.email)
    if moved.run:
        return _to_run(service, project, moved.run)
    return Redirect(service.url(f"/p/{project}/commits/{moved.commit}"), status_code=303)


@post("/p/{project:str}/runs/{run:str}/branch", include_in_schema=False)
async def branch(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, run: str
) -> Redirect:
    visitor.require("push", project)
    name = (await read_form(request)).one("name")
    asked = await asyncio.to_thread(request_of, service, project, run)
    actor = visitor.require_known()
    await asyncio.to_thread(branch_from, service.hub, project, name, asked.id, actor)
    return Redirect(service.url(f"/p/{project}/files?at={quote(name, safe='')}"), status_code=303)


def request_of(service: Service, project: str, run: str) -> RunRequest:
    """Return what was asked of a run. Raises `UserError`: `run-unknown`, `run-ambiguous`."""
    index = Index(service.hub.index, is_read_only=True)
    try:
        return find_run(index, project, run).request
    finally:
        index.close()


def _to_run(service: Service, project: str, run: str) -> Redirect:
    return Redirect(service.url(f"/p/{project}/runs/{run}"), status_code=303)


handlers = [cancel, again, verify, back, branch]
