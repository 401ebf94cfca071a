"""Who may what in a project: seen, invited, changed."""

from __future__ import annotations

import secrets
from typing import Literal

import msgspec
from litestar import get, patch, post

from lockgate.hub.members.authenticate import hash_password
from lockgate.hub.members.changes import change, invite
from lockgate.hub.members.edits import Edit, edited
from lockgate.hub.members.names import require_name
from lockgate.hub.members.rules import actor_of, parties_of, role_of
from lockgate.hub.members.values import Member, Role
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class Person(msgspec.Struct, frozen=True):
    """A member as others in the project see them."""

    name: str
    full_name: str
    email: str
    role: Role
    parties: tuple[str, ...]
    is_active: bool


class NewMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    role: Role = "member"
    parties: tuple[str, ...] = ()
    email: str | None = None
    full_name: str | None = None


class Invited(msgspec.Struct, frozen=True):
    """Who was invited; `password`: their first one, for who is new on the hub, shown this once."""

    member: Person
    password: str | None


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`none` takes the role."""

    role: Role | Literal["none"] | None = None
    add_parties: tuple[str, ...] = ()
    drop_parties: tuple[str, ...] = ()


@get("/projects/{project:str}/members", sync_to_thread=True)
def list_members(service: Service, visitor: Visitor, project: str) -> list[Person]:
    """Who has a role in a project."""
    visitor.require("view-members", project)
    found = (_person(member, project) for member in service.book.members())
    return [person for person in found if person is not None]


@post("/projects/{project:str}/members", sync_to_thread=True)
def add(service: Service, visitor: Visitor, project: str, data: NewMember) -> Invited:
    """Invite somebody: who is on the hub gets the role, who is new a first password too."""
    visitor.require("invite", project)
    actor, name = visitor.require_known(), require_name(data.name)
    edit = Edit(role=data.role, projects=(project,), add_parties=data.parties)
    if service.book.find(name) is not None:
        _, after = change(service.book, actor, name, lambda member: edited(member, edit))
        return Invited(_known(after, project), None)
    password = secrets.token_urlsafe(12)
    whole = msgspec.structs.replace(
        edit, email=data.email, full_name=data.full_name, password=hash_password(password, (name,))
    )
    return Invited(_known(invite(service.book, actor, edited(Member(name=name), whole)), project), password)


@patch("/projects/{project:str}/members/{name:str}", sync_to_thread=True)
def edit(service: Service, visitor: Visitor, project: str, name: str, data: Change) -> Person | None:
    """Change what somebody may do in a project."""
    visitor.require("invite", project)
    wanted = Edit(
        role=data.role, projects=(project,), add_parties=data.add_parties, drop_parties=data.drop_parties
    )
    _, after = change(service.book, visitor.require_known(), name, lambda member: edited(member, wanted))
    return _person(after, project)


def _person(member: Member, project: str) -> Person | None:
    actor = actor_of(msgspec.structs.replace(member, is_active=True))
    role = role_of(actor, project) if actor is not None else None
    if actor is None or role is None:
        return None
    return Person(
        member.name, member.full_name, member.email, role, parties_of(actor, project), member.is_active
    )


def _known(member: Member, project: str) -> Person:
    person = _person(member, project)
    assert person is not None
    return person


handlers = [list_members, add, edit]
