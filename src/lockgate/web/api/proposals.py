"""Changes of the default branch that wait for a lead."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post

from lockgate.hub.pushing.proposals import (
    Accepted,
    Proposal,
    accept,
    decline,
    difference,
    find_proposal,
    list_proposals,
)
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class ProposalView(msgspec.Struct, frozen=True):
    """A proposal with what it changes, as a patch."""

    proposal: Proposal
    difference: str


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: Annotated[str, msgspec.Meta(max_length=2000)] = ""


@get("/projects/{project:str}/proposals", sync_to_thread=True)
def list_open(service: Service, visitor: Visitor, project: str) -> list[Proposal]:
    """The proposals nobody has decided yet."""
    visitor.require("read", project)
    return list(list_proposals(service.hub, project))


@get("/projects/{project:str}/proposals/{proposal:str}", sync_to_thread=True)
def show(service: Service, visitor: Visitor, project: str, proposal: str) -> ProposalView:
    """A proposal and its patch."""
    visitor.require("read", project)
    found = find_proposal(service.hub, project, proposal)
    return ProposalView(found, difference(service.hub, project, found))


@post("/projects/{project:str}/proposals/{proposal:str}/accept", status_code=200, sync_to_thread=True)
def take(service: Service, visitor: Visitor, project: str, proposal: str) -> Accepted:
    """Bring a proposal onto the default branch."""
    visitor.require("decide-proposal", project)
    return accept(service.hub, project, visitor.require_known(), proposal)


@post("/projects/{project:str}/proposals/{proposal:str}/decline", status_code=200, sync_to_thread=True)
def leave(
    service: Service, visitor: Visitor, project: str, proposal: str, data: Reason | None = None
) -> Proposal:
    """Close a proposal: a lead declines it, its member takes it back."""
    visitor.require("propose", project)
    reason = data.reason if data is not None else ""
    return decline(service.hub, project, visitor.require_known(), proposal, reason)


handlers = [list_open, show, take, leave]
