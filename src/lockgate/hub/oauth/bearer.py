"""Who stands behind a token that a program was given."""

from __future__ import annotations

import msgspec

from lockgate.hub.members.book import MemberBook
from lockgate.hub.members.mark import mark_of
from lockgate.hub.members.rules import actor_of
from lockgate.hub.members.values import Actor, Member
from lockgate.hub.oauth.client import acting_scope
from lockgate.hub.oauth.grants import find_grant
from lockgate.hub.oauth.trading import Grant
from lockgate.hub.search.database import Database


def member_behind(book: MemberBook, grant: Grant) -> Member | None:
    """Return whose grant this is; None: they are gone, inactive, or have another password since."""
    member = book.find(grant.member)
    if member is None or not member.is_active or mark_of(member) != grant.mark:
        return None
    return member


def by_grant(book: MemberBook, database: Database, token: str) -> Actor | None:
    """Return who acts by a token; None: it is over, or good only to ask who its member is."""
    grant = find_grant(database, token)
    member = member_behind(book, grant) if grant is not None else None
    scope = acting_scope(grant.scopes) if grant is not None else None
    actor = actor_of(member) if member is not None else None
    return msgspec.structs.replace(actor, scope=scope) if actor is not None and scope is not None else None
