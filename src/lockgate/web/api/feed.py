"""The feed of what happened, and the search over everything."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import Parameter

from lockgate.hub.members.rules import unknown_project
from lockgate.hub.search.feed import FeedPage, feed
from lockgate.hub.search.find import Hit, search
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

Limit = Annotated[int, Parameter(ge=1, le=200)]
Words = Annotated[str, Parameter(max_length=500)]


@get("/projects/{project:str}/activity", sync_to_thread=True)
def of_project(
    service: Service,
    visitor: Visitor,
    project: str,
    by: Words | None = None,
    ref: Words | None = None,
    kind: Words | None = None,
    text: Words | None = None,
    before: Words | None = None,
    limit: Limit = 50,
) -> FeedPage:
    """What happened in a project, the newest first, with figures, tables, snippets and logs named."""
    visitor.require("read", project)
    service.catch_up()
    return feed(service.database, [project], by, ref, kind, text, before, limit)


@get("/search", sync_to_thread=True)
def find(
    service: Service, visitor: Visitor, q: Words, project: Words | None = None, limit: Limit = 50
) -> list[Hit]:
    """What holds these words: code, messages, logs, parameters, metrics, people, dates."""
    visitor.require_known()
    projects = visitor.projects()
    if project is not None:
        if project not in projects:
            raise unknown_project(project)
        projects = (project,)
    return list(search(service.database, projects, q, limit))


handlers = [of_project, find]
