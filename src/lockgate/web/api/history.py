"""The activity chain, and going back along it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import Parameter

from lockgate.hub.going_back import back_to, branch_from
from lockgate.hub.pushing.own_push import Moved
from lockgate.hub.worktree.history import Entry, entries
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class Back(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to: a branch; a state: the end of a run's id, the beginning of an activity's or a cell's."""

    branch: str
    state: str


@get("/projects/{project:str}/chain", sync_to_thread=True)
def chain(
    service: Service,
    visitor: Visitor,
    project: str,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 50,
    path: str | None = None,
) -> list[Entry]:
    """The newest entries of the activity chain; with a path, those of runs that touched it."""
    visitor.require("read", project)
    return list(entries(service.hub.repository(project), limit, path))


@post("/projects/{project:str}/rollback", sync_to_thread=True)
def rollback(service: Service, visitor: Visitor, project: str, data: Back) -> Moved:
    """Put a commit onto a branch that makes it as it was."""
    visitor.require("rollback", project)
    actor = visitor.require_known()
    return back_to(service.hub, project, data.branch, data.state, actor, visitor.email)


@post("/projects/{project:str}/branches", sync_to_thread=True)
def branch(service: Service, visitor: Visitor, project: str, data: Back) -> Moved:
    """Begin a new branch at an earlier state."""
    visitor.require("push", project)
    return branch_from(service.hub, project, data.branch, data.state, visitor.require_known())


handlers = [chain, rollback, branch]
