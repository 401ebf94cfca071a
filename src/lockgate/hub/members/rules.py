"""Who may do what: the one place that decides, for git, ssh, HTTP, pages and the command line alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lockgate.errors import UserError
from lockgate.hub.members.values import EVERY, SCOPES, Actor, Member, Role, Scope, Token

Action = Literal[
    "read",
    "view-members",
    "push",
    "run",
    "cancel",
    "rollback",
    "propose",
    "change-settings",
    "rewrite-default",
    "decide-proposal",
    "certify",
    "accept-drift",
    "invite",
    "manage-backends",
    "add-project",
    "operate",
]

_LEAD: frozenset[Role] = frozenset({"lead"})
_WRITERS: frozenset[Role] = frozenset({"lead", "member"})
_ALL: frozenset[Role] = frozenset({"lead", "member", "viewer"})

#: Action → who may, the least scope a token must have, and the action in words.
_RULES: dict[Action, tuple[frozenset[Role], Scope, str]] = {
    "read": (_ALL, "read", "read {}"),
    "view-members": (_ALL, "read", "see the members of {}"),
    "push": (_WRITERS, "write", "push to {}"),
    "run": (_WRITERS, "write", "start runs of {}"),
    "cancel": (_WRITERS, "write", "cancel runs of {}"),
    "rollback": (_WRITERS, "write", "go back in {}"),
    "propose": (_WRITERS, "write", "propose changes of {}"),
    "change-settings": (_LEAD, "write", "change the settings of {}"),
    "rewrite-default": (_LEAD, "write", "delete or rewrite the default branch of {}"),
    "decide-proposal": (_LEAD, "write", "accept or decline proposals of {}"),
    "certify": (_LEAD, "write", "certify data of {}"),
    "accept-drift": (_LEAD, "write", "accept data of {} that drifted"),
    "invite": (_LEAD, "admin", "invite, change or remove members of {}"),
    "manage-backends": (_LEAD, "admin", "change the batch systems of {}"),
    "add-project": (frozenset(), "admin", "add projects"),
    "operate": (frozenset(), "admin", "look after the hub"),
}

#: Action → the party whose members may, whatever their role in the project is.
_PARTIES: dict[Action, str] = {"certify": "data-steward"}

#: What an operator may do in every project: look after it, not see what is in it.
_OPERATORS: frozenset[Action] = frozenset(
    {"add-project", "operate", "invite", "view-members", "manage-backends"}
)


def actor_of(member: Member, token: Token | None = None) -> Actor | None:
    """Return who acts when this member does, by this token if given; None: an inactive one is nobody."""
    if not member.is_active:
        return None
    return Actor(
        name=member.name,
        is_operator=member.is_operator,
        roles=member.roles,
        parties=member.parties,
        scope=token.scope if token else "admin",
        projects=token.projects if token else None,
    )


def role_of(actor: Actor, project: str) -> Role | None:
    """Return the role in a project; a role given for it by name counts, whatever `*` says."""
    return actor.roles.get(project, actor.roles.get(EVERY))


def parties_of(actor: Actor, project: str) -> tuple[str, ...]:
    """Return the parties somebody signs off for in a project."""
    named = (*actor.parties.get(project, ()), *actor.parties.get(EVERY, ()))
    return tuple(dict.fromkeys(named))


def may(actor: Actor | None, action: Action, project: str | None) -> bool:
    """Return whether somebody may do this; None as project: to the hub as a whole, or to every project."""
    if actor is None:
        return False
    roles, least, _ = _RULES[action]
    if SCOPES.index(actor.scope) < SCOPES.index(least):
        return False
    if actor.projects is not None and (project is None or project not in actor.projects):
        return False
    if actor.is_owner or (actor.is_operator and action in _OPERATORS):
        return True
    role = role_of(actor, EVERY if project is None else project)
    if role is not None and project is not None and _PARTIES.get(action) in parties_of(actor, project):
        return True
    return role in roles


def is_named(owner: str, name: str, email: str) -> bool:
    """Return whether the owner that a description names is this member: by name, or by address.

    Full names do not count: members change their own.
    """
    said = owner.strip().casefold()
    address = email.strip().casefold()
    return said == name.casefold() or (bool(address) and (said == address or f"<{address}>" in said))


def require(actor: Actor | None, action: Action, project: str | None, leads: Sequence[str] = ()) -> None:
    """Refuse what somebody may not do. `leads` are named as those to ask.

    Raises `UserError` (`not-allowed`).
    """
    if not may(actor, action, project):
        raise refusal(actor, action, project, leads)


def refusal(actor: Actor | None, action: Action, project: str | None, leads: Sequence[str] = ()) -> UserError:
    """Return the error for what somebody may not do: what it is, why, and who may."""
    roles, least, words = _RULES[action]
    who = actor.name if actor else "nobody who is known"
    doing = words.format(project if project is not None else "every project")
    if actor is not None and may(_unbounded(actor), action, project):
        return UserError(
            f"the token of {who} is not good to {doing}",
            f"It takes a token with the scope `{least}` for this project: `lockgate hub member token`.",
            code="not-allowed",
        )
    role = role_of(actor, project) if actor and project is not None else None
    reason = f"{who} is a {role} there" if role else f"{who} has no such role"
    asked = f" ({', '.join(leads)})" if leads else ""
    if not roles:
        hint = "Ask an operator of the hub."
    elif action in _PARTIES:
        hint = f"It takes the party {_PARTIES[action]}: ask a lead of the project{asked}."
    elif action == "accept-drift":
        hint = f"Its owner may, as the catalogue names them, and a lead of the project{asked}."
    elif "viewer" in roles or "member" not in roles:
        hint = f"Ask a lead of the project{asked}."
    else:
        hint = f"Ask a lead of the project{asked} to make you a member of it."
    return UserError(
        f"{who} may not {doing}: {reason}" if actor else f"{who} may {doing}", hint, code="not-allowed"
    )


def unknown_project(project: str) -> UserError:
    """The error for a project that is not there, or not for this one to know of."""
    return UserError(
        f"the hub has no project {project}",
        "Look at its address, or ask a lead of the project to be invited.",
        code="project-unknown",
    )


def _unbounded(actor: Actor) -> Actor:
    return Actor(
        name=actor.name,
        is_owner=actor.is_owner,
        is_operator=actor.is_operator,
        roles=actor.roles,
        parties=actor.parties,
    )
