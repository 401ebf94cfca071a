"""Which changes of members somebody may make: what differs decides."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.errors import UserError
from lockgate.hub.members.rules import may, refusal
from lockgate.hub.members.values import EVERY, Actor, Member

#: What a member may change of themself.
_OWN = frozenset({"full_name", "password", "keys", "tokens"})
#: What a lead says of somebody new; of those there are, only what they may do in the lead's project.
_OF_NEW = frozenset({"name", "created_at", "email", "full_name", "password", "keys"})


def changed_fields(before: Member, after: Member) -> tuple[str, ...]:
    """Return the fields that differ, those that are about projects left out."""
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return tuple(field for field in old if old[field] != new[field] and field not in ("roles", "parties"))


def changed_projects(before: Member, after: Member) -> tuple[str, ...]:
    """Return the projects (or `*`) in which the role or the parties differ."""
    named = {*before.roles, *after.roles, *before.parties, *after.parties}
    return tuple(
        sorted(
            project
            for project in named
            if before.roles.get(project) != after.roles.get(project)
            or set(before.parties.get(project, ())) != set(after.parties.get(project, ()))
        )
    )


def require_addition(actor: Actor | None, new: Member, leads: Sequence[str] = ()) -> None:
    """Refuse a new member that somebody may not add. Raises `UserError` (`not-allowed`)."""
    if may(actor, "operate", None):
        return
    nobody = Member(name="")
    projects = changed_projects(nobody, new)
    if not projects:
        raise refusal(actor, "operate", None)
    _require_projects(actor, projects, leads)
    _require_fields(actor, [field for field in changed_fields(nobody, new) if field not in _OF_NEW])


def require_change(actor: Actor | None, before: Member, after: Member, leads: Sequence[str] = ()) -> None:
    """Refuse a change that somebody may not make. Raises `UserError` (`not-allowed`)."""
    if may(actor, "operate", None):
        return
    _require_projects(actor, changed_projects(before, after), leads)
    fields = changed_fields(before, after)
    if actor is not None and actor.name == before.name and actor.scope == "admin" and actor.projects is None:
        fields = tuple(field for field in fields if field not in _OWN)
    _require_fields(actor, fields)


def require_removal(actor: Actor | None) -> None:
    """Refuse to take a member off the hub to whom may not. Raises `UserError` (`not-allowed`)."""
    if not may(actor, "operate", None):
        error = refusal(actor, "operate", None)
        raise UserError(
            error.message, "A lead takes a member off a project: give the role `none`.", code="not-allowed"
        )


def _require_projects(actor: Actor | None, projects: Sequence[str], leads: Sequence[str]) -> None:
    for project in projects:
        named = None if project == EVERY else project
        if not may(actor, "invite", named):
            raise refusal(actor, "invite", named, leads)


def _require_fields(actor: Actor | None, fields: Sequence[str]) -> None:
    if fields:
        words = ", ".join(field.removeprefix("is_") for field in fields)
        who = actor.name if actor else "nobody who is known"
        raise UserError(
            f"{who} may not change this of a member: {words}",
            "Members change their own full name, password, keys and tokens; an operator changes the rest.",
            code="not-allowed",
        )
