"""What a program is told of a member who let it: the claims of OpenID Connect Core 1.0, section 5.1."""

from __future__ import annotations

from collections.abc import Collection

from lockgate.hub.members.mark import subject_of
from lockgate.hub.members.values import Member

#: The group of who looks after the hub. No project is named like it: it has a colon, and no role after it.
OPERATORS = "hub:operator"


def groups_of(member: Member) -> list[str]:
    """Return the projects a member has a role in, as `flights` and `flights:lead`; `*`: every project."""
    named = [group for project, role in member.roles.items() for group in (project, f"{project}:{role}")]
    return sorted([*named, OPERATORS] if member.is_operator else named)


def claims_of(member: Member, scopes: Collection[str]) -> dict[str, object]:
    """Return what these scopes let be told."""
    claims: dict[str, object] = {"sub": subject_of(member)}
    if "profile" in scopes:
        claims["preferred_username"] = member.name
        claims |= {"name": member.full_name} if member.full_name else {}
    if "email" in scopes and member.email:
        # A lead wrote it down: nobody has shown that mail to it arrives
        claims |= {"email": member.email, "email_verified": False}
    if "groups" in scopes:
        claims["groups"] = groups_of(member)
    return claims
