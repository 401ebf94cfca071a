"""A member as others may see them: without digests of passwords and tokens."""

from __future__ import annotations

import msgspec

from lockgate.hub.members.values import EVERY, Member, Role, Scope, Token
from lockgate.project.quantities import counted


class TokenOverview(msgspec.Struct, frozen=True, kw_only=True):
    """A token without what opens anything."""

    id: str
    name: str
    scope: Scope
    projects: tuple[str, ...] | None
    created_at: str
    expires_at: str | None


class MemberOverview(msgspec.Struct, frozen=True, kw_only=True):
    """What lists and pages show of a member."""

    name: str
    email: str
    full_name: str
    is_operator: bool
    is_active: bool
    roles: dict[str, Role]
    parties: dict[str, tuple[str, ...]]
    keys: tuple[str, ...]
    tokens: tuple[TokenOverview, ...]
    has_password: bool
    has_subject: bool
    created_at: str

    @property
    def roles_text(self) -> str:
        """`lead of flights; viewer of every project; operator`."""
        by_role: dict[str, list[str]] = {}
        for project, role in sorted(self.roles.items()):
            by_role.setdefault(role, []).append("every project" if project == EVERY else project)
        words = [f"{role} of {', '.join(projects)}" for role, projects in by_role.items()]
        words += ["operator"] if self.is_operator else []
        words += [] if self.is_active else ["inactive"]
        return "; ".join(words) or "no role"

    @property
    def parties_text(self) -> str:
        return "; ".join(f"{', '.join(named)} ({p})" for p, named in sorted(self.parties.items())) or "-"

    @property
    def ways_text(self) -> str:
        ways = ["password"] if self.has_password else []
        ways += [counted(len(self.keys), "ssh key")] if self.keys else []
        ways += [counted(len(self.tokens), "token")] if self.tokens else []
        ways += ["login elsewhere"] if self.has_subject else []
        return ", ".join(ways) or "none"


def overview(member: Member) -> MemberOverview:
    """Return what may be shown of a member."""
    return MemberOverview(
        name=member.name,
        email=member.email,
        full_name=member.full_name,
        is_operator=member.is_operator,
        is_active=member.is_active,
        roles=member.roles,
        parties=member.parties,
        keys=member.keys,
        tokens=tuple(token_overview(token) for token in member.tokens),
        has_password=member.password is not None,
        has_subject=member.subject is not None,
        created_at=member.created_at,
    )


def token_overview(token: Token) -> TokenOverview:
    """Return what may be shown of a token."""
    return TokenOverview(
        id=token.id,
        name=token.name,
        scope=token.scope,
        projects=token.projects,
        created_at=token.created_at,
        expires_at=token.expires_at,
    )
