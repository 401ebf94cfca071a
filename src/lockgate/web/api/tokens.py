"""Who one is, and one's own tokens."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import delete, get, post

from lockgate.errors import UserError
from lockgate.hub.members.changes import give_token, take_token
from lockgate.hub.members.overview import TokenOverview, token_overview
from lockgate.hub.members.rules import refusal
from lockgate.hub.members.values import Actor, Member, Scope
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class Me(msgspec.Struct, frozen=True):
    """Who asks, and what they are here."""

    name: str
    email: str
    full_name: str
    is_operator: bool
    is_owner: bool
    roles: dict[str, str]
    parties: dict[str, tuple[str, ...]]
    scope: Scope


class Issued(msgspec.Struct, frozen=True):
    token: TokenOverview
    secret: str
    """Shown this once."""


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    scope: Scope = "read"
    projects: tuple[str, ...] | None = None
    days: Annotated[int, msgspec.Meta(ge=1, le=3660)] | None = 90


@get("/me", sync_to_thread=True)
def me(service: Service, visitor: Visitor) -> Me:
    """Who asks."""
    actor = visitor.require_known()
    member = service.book.find(actor.name)
    return Me(
        actor.name,
        member.email if member else "",
        member.full_name if member else "",
        actor.is_operator,
        actor.is_owner,
        dict(actor.roles),
        dict(actor.parties),
        actor.scope,
    )


@get("/tokens", sync_to_thread=True)
def list_tokens(service: Service, visitor: Visitor) -> list[TokenOverview]:
    """One's own tokens."""
    return [token_overview(token) for token in _self(service, visitor.require_known()).tokens]


@post("/tokens", sync_to_thread=True)
def add(service: Service, visitor: Visitor, data: NewToken) -> Issued:
    """A new token of one's own. One that is narrower than its member makes none: it would outlive itself."""
    actor = visitor.require_known()
    _self(service, actor)
    if actor.scope != "admin" or actor.projects is not None:
        raise UserError(
            "a token with limits cannot make another",
            "Make it on the page Account, or with your password.",
            code="not-allowed",
        )
    for project in data.projects or ():
        service.require(actor, "read", project)
    projects = data.projects or None
    token, secret = give_token(service.book, actor, actor.name, data.name, data.scope, projects, data.days)
    return Issued(token_overview(token), secret)


@delete("/tokens/{token:str}", sync_to_thread=True)
def remove(service: Service, visitor: Visitor, token: str) -> None:
    """Take a token of one's own out of use, by its id or name."""
    actor = visitor.require_known()
    take_token(service.book, actor, _self(service, actor).name, token)


def _self(service: Service, actor: Actor) -> Member:
    member = service.book.find(actor.name)
    if member is None:
        raise (
            refusal(actor, "operate", None)
            if not actor.is_owner
            else UserError(
                "the hub's owner needs no token",
                "Add a member first: lockgate hub member add NAME",
                code="no-members",
            )
        )
    return member


handlers = [me, list_tokens, add, remove]
