"""Letting somebody in by a login of elsewhere: found in the book, bound to it, or added."""

from __future__ import annotations

import msgspec

from lockgate.errors import UserError
from lockgate.hub.members.binding import Login, bind
from lockgate.hub.members.book import MemberBook
from lockgate.hub.members.changes import change, invite
from lockgate.hub.members.rules import actor_of
from lockgate.hub.members.values import Actor, Member

#: In whose name the chain tells of it.
_HUB = Actor(name="hub", is_owner=True)


def enter(book: MemberBook, login: Login, new_members: str) -> Actor:
    """Return who acts by a login. What the book learns by it is told in the chain.

    Raises `UserError`: `login-unknown`, `member-inactive`, `member-conflict`.
    """
    if book.is_open:
        raise UserError(
            "this hub has no members yet", "On its host: lockgate hub member add NAME", code="login-unknown"
        )
    binding = bind(book.members(), login, new_members)
    if binding.change == "add":
        invite(book, _HUB, binding.member)
    elif binding.change == "bind":

        def with_subject(member: Member) -> Member:
            return msgspec.structs.replace(member, subject=bind([member], login, "none").member.subject)

        change(book, _HUB, binding.member.name, with_subject)
    actor = actor_of(book.require(binding.member.name))
    assert actor is not None
    return actor
