"""Who acts in a process that a door of the hub has started: the variables between the two."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lockgate.errors import UserError
from lockgate.hub.members.book import MemberBook
from lockgate.hub.members.rules import actor_of
from lockgate.hub.members.values import OWNER, SCOPES, Actor

MEMBER = "LOCKGATE_MEMBER"
SCOPE = "LOCKGATE_SCOPE"
PROJECTS = "LOCKGATE_PROJECTS"
"""The projects that a token is good for, with blanks between; not set: all."""


def environment_of(actor: Actor) -> dict[str, str]:
    """Return what tells git's hooks who acts; for the owner, nothing."""
    if actor.is_owner:
        return {}
    bounded = {} if actor.projects is None else {PROJECTS: " ".join(actor.projects)}
    return {MEMBER: actor.name, SCOPE: actor.scope} | bounded


def actor_in(book: MemberBook, environment: Mapping[str, str]) -> Actor:
    """Return who acts by these variables; without them, and on a hub without members, the owner.

    Raises `UserError`: `member-unknown`, `member-inactive`.
    """
    name = environment.get(MEMBER)
    if not name:
        return OWNER
    if book.is_open:
        return msgspec.structs.replace(OWNER, name=name)
    actor = by_name(book, name)
    scope = next((scope for scope in SCOPES if scope == environment.get(SCOPE, "admin")), None)
    if scope is None:
        raise UserError(
            f"{environment[SCOPE]!r} is no scope of a token",
            f"Those there are: {', '.join(SCOPES)}.",
            code="scope-unknown",
        )
    named = environment.get(PROJECTS)
    projects = actor.projects if named is None else tuple(named.split())
    return msgspec.structs.replace(actor, scope=scope, projects=projects)


def by_name(book: MemberBook, name: str) -> Actor:
    """Return the member whom a trusted door names.

    Raises `UserError`: `member-unknown`, `member-inactive`.
    """
    member = book.find(name)
    if member is None:
        raise UserError(
            f"{name} is no member of this hub", "Ask a lead to be invited.", code="member-unknown"
        )
    actor = actor_of(member)
    if actor is None:
        raise UserError(
            f"{name} is no longer active on this hub",
            "Ask an operator of the hub.",
            code="member-inactive",
        )
    return actor
