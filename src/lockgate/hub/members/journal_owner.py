"""Whose journal a ref is: refs hold a member's name or address in a form that two could share."""

from __future__ import annotations

from lockgate.hub.members.book import MemberBook
from lockgate.hub.members.slug import member_slug
from lockgate.hub.members.values import Member


def slugs_of(member: Member) -> tuple[str, ...]:
    """Return what a member goes by in refs: the name on the hub, and the address that git knows."""
    return tuple(member_slug(name) for name in (member.name, member.email) if name)


def owners_of(book: MemberBook, slug: str) -> tuple[Member, ...]:
    """Return the members who go by this in refs; where they are several, it is nobody's."""
    return tuple(member for member in book.members() if slug in slugs_of(member))


def name_of(book: MemberBook, slug: str) -> str | None:
    """Return the name of the member whose journal it is; None: of nobody who is known here."""
    owners = owners_of(book, slug)
    return owners[0].name if len(owners) == 1 else None
