"""Changing who is a member and what they may do: judged, done, and appended to the chains it concerns."""

from __future__ import annotations

import os
import pwd
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from lockgate.hub.directory import Hub
from lockgate.hub.instant import iso
from lockgate.hub.members import tokens
from lockgate.hub.members.book import MemberBook, projects_of
from lockgate.hub.members.permits import (
    changed_fields,
    changed_projects,
    require_addition,
    require_change,
    require_removal,
)
from lockgate.hub.members.values import EVERY, Actor, Member, Scope, Token

#: What a field is called in words, where that is not its name.
_FIELDS = {"full_name": "full name", "keys": "ssh keys", "subject": "login elsewhere"}


def invite(book: MemberBook, actor: Actor, member: Member) -> Member:
    """Add a member in the name of `actor`.

    Raises `UserError`: `not-allowed`, `project-unknown`, and those of `MemberBook.add`.
    """
    _require_there(book.hub, (*member.roles, *member.parties))
    require_addition(actor, member, _leads(book, (*member.roles, *member.parties)))
    new = msgspec.structs.replace(member, id=secrets.token_hex(8), created_at=iso(time.time()))
    book.add(new)
    _record_rights(book, actor, "member.invited", None, new)
    return new


def change(
    book: MemberBook, actor: Actor, name: str, edit: Callable[[Member], Member]
) -> tuple[Member, Member]:
    """Change a member in the name of `actor`; return them before and after.

    Raises `UserError`: `not-allowed`, `project-unknown`, and those of `MemberBook.change`.
    """

    def judged(before: Member) -> Member:
        after = edit(before)
        projects = changed_projects(before, after)
        _require_there(book.hub, [project for project in projects if project in after.roles])
        require_change(actor, before, after, _leads(book, projects))
        return after

    before, after = book.change(name, judged)
    if before != after:
        _record_rights(book, actor, "member.changed", before, after)
    return before, after


def remove(book: MemberBook, actor: Actor, name: str) -> Member:
    """Take a member off the hub in the name of `actor`; their keys and tokens end at once.

    Raises `UserError`: `not-allowed`, `member-unknown`.
    """
    require_removal(actor)
    member = book.remove(name)
    _record_rights(book, actor, "member.removed", member, None)
    return member


def give_token(
    book: MemberBook,
    actor: Actor,
    member: str,
    name: str,
    scope: Scope,
    projects: Sequence[str] | None = None,
    days: int | None = None,
) -> tuple[Token, str]:
    """Issue a token in the name of `actor`; return it and its secret.

    Raises `UserError`: `not-allowed`, and those of `tokens.issue`.
    """
    _require_tokens(book, actor, member)
    token, secret = tokens.issue(book, member, name, scope, projects, days)
    about = {"token": token.name, "scope": token.scope, "expires_at": token.expires_at or "never"}
    _record_about(book, actor, member, f"{actor.name} gave {member} the token {name} ({scope})", about)
    return token, secret


def take_token(book: MemberBook, actor: Actor, member: str, token: str) -> Token:
    """Revoke a token in the name of `actor`; one's own, by any of them: `lockgate logout` does.

    Raises `UserError`: `not-allowed`, and those of `tokens.revoke`.
    """
    if actor.name != member or actor.is_owner:
        _require_tokens(book, actor, member)
    taken = tokens.revoke(book, member, token)
    about = {"token": taken.name, "is_revoked": True}
    _record_about(book, actor, member, f"{actor.name} revoked the token {taken.name} of {member}", about)
    return taken


def tell_grant(book: MemberBook, member: str, program: str, scope: str, *, is_over: bool = False) -> None:
    """Append to the chains of a member's projects that a program may act for them, or no more."""
    words = f"{'no longer lets' if is_over else 'lets'} {program} act for them ({scope})"
    about = {"program": program, "scope": scope} | ({"is_revoked": True} if is_over else {})
    _record_about(book, Actor(name=member), member, f"{member} {words}", about)


def record(
    hub: Hub,
    project: str,
    *,
    kind: str,
    by: str,
    title: str,
    email: str = "",
    ref: str | None = None,
    commit: str | None = None,
    evidence: Mapping[str, object] | None = None,
    keep: Sequence[str] = (),
) -> str:
    """Append one entry to a project's chain; return its id. Errors as `chain.append` and `load_key`."""
    # libgit2 and cryptography: hooks record refusals alone, and do not wait for them otherwise
    from lockgate.activity import chain  # noqa: PLC0415
    from lockgate.activity.entry import Activity  # noqa: PLC0415
    from lockgate.activity.key import load_key  # noqa: PLC0415
    from lockgate.git.objects import Repository  # noqa: PLC0415

    now = time.time()
    activity = Activity(
        kind=kind,
        at=iso(now),
        by=by,
        title=title,
        ref=ref,
        commit=commit,
        evidence=msgspec.to_builtins(dict(evidence or {})),
    )
    repository = Repository(hub.repository(project))
    return chain.append(
        repository, activity, load_key(hub.key), keep=keep, at_epoch_s=int(now), author_email=email
    )


def _record_rights(
    book: MemberBook, actor: Actor, kind: str, before: Member | None, after: Member | None
) -> None:
    """One entry in each project concerned, of what became of the rights there and of nothing elsewhere."""
    member = after or before
    assert member is not None
    there = [each for each in (before, after) if each is not None]
    fields = list(changed_fields(before, after)) if before and after else []
    concerned: Iterable[str] = projects_of(book.hub, *there)
    if before and after and not fields:
        projects = changed_projects(before, after)
        concerned = book.hub.projects() if EVERY in projects else [p for p in projects if p in concerned]
    elif any(each.is_operator for each in there):
        concerned = book.hub.projects()
    for project in concerned:
        old, new = (_rights(each, project) if each else None for each in (before, after))
        if kind == "member.changed" and old == new and not fields:
            continue
        evidence: dict[str, object] = {"member": member.name}
        evidence |= {"before": old} if old is not None else {}
        evidence |= {"after": new} if new is not None else {}
        evidence |= {"changed": fields} if fields else {}
        evidence |= _account(actor)
        title = f"{actor.name} {_words(member.name, old, new, fields)}"
        record(book.hub, project, kind=kind, by=actor.name, title=title, evidence=evidence)


def _record_about(book: MemberBook, actor: Actor, name: str, title: str, about: Mapping[str, object]) -> None:
    member = book.require(name)
    for project in projects_of(book.hub, member):
        evidence = {"member": name, "changed": ["tokens"], **about, **_account(actor)}
        record(book.hub, project, kind="member.changed", by=actor.name, title=title, evidence=evidence)


def _account(actor: Actor) -> dict[str, str]:
    """Return which account of the host acted as the owner; a member acts under a name of their own.

    Of whom `sudo` made the hub's account, the account before: sudo(8), SUDO_USER.
    """
    if not actor.is_owner:
        return {}
    user = os.geteuid()
    try:
        account = pwd.getpwuid(user).pw_name
    except KeyError:
        account = str(user)
    return {"account": os.environ.get("SUDO_USER") or account}


def _rights(member: Member, project: str) -> dict[str, object]:
    parties = {*member.parties.get(project, ()), *member.parties.get(EVERY, ())}
    rights: dict[str, object] = {"role": member.roles.get(project, member.roles.get(EVERY, "none"))}
    rights |= {"parties": sorted(parties)} if parties else {}
    rights |= {"is_operator": True} if member.is_operator else {}
    rights |= {} if member.is_active else {"is_active": False}
    return rights


def _words(
    name: str, old: dict[str, object] | None, new: dict[str, object] | None, fields: Sequence[str]
) -> str:
    if new is None:
        return f"removed {name} from the hub"
    parties = new.get("parties")
    signing = f", signing off for {', '.join(parties)}" if isinstance(parties, list) else ""
    if old is None:
        return f"invited {name} as {new['role']}{signing}"
    if old.get("is_active", True) != new.get("is_active", True):
        return f"made {name} {'active' if new.get('is_active', True) else 'inactive'}"
    if old != new:
        operator = " and operator" if new.get("is_operator") and not old.get("is_operator") else ""
        return f"changed what {name} may do: {old['role']} → {new['role']}{signing}{operator}"
    return f"changed of {name}: {', '.join(_FIELDS.get(field, field) for field in fields)}"


def _require_tokens(book: MemberBook, actor: Actor, member: str) -> None:
    """A token can be given and taken by who may change the member's others."""
    before = book.require(member)
    probe = Token(id="", name="", digest="", scope="read", created_at="")
    require_change(actor, before, msgspec.structs.replace(before, tokens=(*before.tokens, probe)))


def _require_there(hub: Hub, projects: Iterable[str]) -> None:
    for project in projects:
        if project != EVERY:
            hub.require_project(project)


def _leads(book: MemberBook, projects: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lead for project in projects for lead in book.leads(project)))
