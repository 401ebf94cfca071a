"""The catalogue's pages: a project's datasets, and one dataset with all that is known of it."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from urllib.parse import quote, urlencode

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Redirect

from lockgate.data.certification import DEFAULT_DAYS, in_words
from lockgate.data.dataset_versions import refreshed
from lockgate.hub.datasets.accepting import Asked as Accepting
from lockgate.hub.datasets.accepting import accept
from lockgate.hub.datasets.catalogue import catalogue, standing_now, today
from lockgate.hub.datasets.certifying import Asked, certify
from lockgate.hub.datasets.dataset_page import look_up
from lockgate.web.pages import drift, spread
from lockgate.web.pages.acceptable import may_accept
from lockgate.web.pages.forms import read_form
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


@get("/p/{project:str}/data", include_in_schema=False, sync_to_thread=True)
def show_all(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, at: str = ""
) -> Response[bytes]:
    """The datasets of a project."""
    visitor.require("read", project)
    found = catalogue(service.hub, project, at or None)
    return render(request, "data.html", project=project, tab="data", at=at, found=found, in_words=in_words)


@get("/p/{project:str}/data/{path:path}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    path: str,
    at: str = "",
) -> Response[bytes]:
    """One dataset."""
    visitor.require("read", project)
    found = look_up(service.hub, project, path.strip("/"), at or None, visitor.projects())
    newest = refreshed(found.versions)
    return render(
        request,
        "dataset.html",
        project=project,
        tab="data",
        at=at,
        found=found,
        entry=found.listed.entry,
        standing=found.listed.standing,
        words=in_words(found.listed.standing),
        refreshed_at=newest.committed_at if newest is not None else None,
        standings={
            version.content: standing_now(found.certifications, version.content) for version in found.versions
        },
        draw=spread.draw,
        drift=drift.drawn(found.checks),
        may_accept=may_accept(service, visitor, project, path.strip("/"), found.checks),
        may_certify=visitor.may("certify", project) and found.listed.entry.content is not None,
        usual_day=(date.fromisoformat(today()) + timedelta(days=DEFAULT_DAYS)).isoformat(),
    )


@post("/p/{project:str}/certify", include_in_schema=False)
async def certify_one(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str
) -> Redirect:
    """Certify the version that the page showed, or take that back."""
    visitor.require("certify", project)
    form = await read_form(request)
    asked = Asked(
        path=form.one("path"),
        version=form.one("version"),
        revision=form.one("at") or None,
        until=form.one("until"),
        words=form.one("words"),
        is_withdrawal=form.one("withdraw") == "1",
    )
    await asyncio.to_thread(certify, service.hub, project, asked, visitor.name, visitor.email)
    where = f"/p/{quote(project, safe='')}/data/{quote(asked.path)}"
    return Redirect(
        service.url(where + (f"?{urlencode({'at': asked.revision})}" if asked.revision else "")),
        status_code=303,
    )


@post("/p/{project:str}/accept", include_in_schema=False)
async def accept_one(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str
) -> Redirect:
    """Accept the drift that the page showed."""
    visitor.require("read", project)
    form = await read_form(request)
    asked = Accepting(
        path=form.one("path"), words=form.one("words"), name=form.one("name"), run=form.one("run") or None
    )
    actor = visitor.require_known()
    made = await asyncio.to_thread(accept, service.hub, project, asked, actor, visitor.email)
    return Redirect(service.url(f"/p/{quote(project, safe='')}/runs/{made.run}"), status_code=303)


handlers = [show_all, show, certify_one, accept_one]
