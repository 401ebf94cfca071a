"""Which member a login of elsewhere is: pure, for OpenID Connect, JupyterHub and LDAP alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.hub.members.names import is_name
from lockgate.hub.members.values import EVERY, Member

_EMAIL = re.compile(r"[^\s@<>]{1,64}@[A-Za-z0-9.-]{1,190}")


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider or a directory vouches for."""

    subject: str
    """Who it is there, for ever: `ISSUER SUBJECT`."""
    email: str = ""
    is_email_verified: bool = False
    full_name: str = ""
    wished_name: str = ""
    """What they are called there."""
    known_by: Literal["address", "name", "nothing"] = "address"
    """By what a member who never logged in there is found: the address that is vouched for, or the name."""


class Binding(msgspec.Struct, frozen=True):
    """The member that a login is, and whether the book is to learn of it first."""

    member: Member
    change: Literal["none", "bind", "add"]


def bind(members: Sequence[Member], login: Login, new_members: str) -> Binding:
    """Return whose login it is: the one it is bound to, else the one it is `known_by`, else, where
    `new_members` is `viewer`, a new one.

    Raises `UserError`: `login-unknown`, `member-inactive`, `member-conflict`.
    """
    bound = next((member for member in members if member.subject == login.subject), None)
    if bound is not None:
        return Binding(_active(bound), "none")
    email = login.email.lower() if login.is_email_verified and _EMAIL.fullmatch(login.email) else ""
    known = _invited(members, login, email)
    if known is not None:
        if known.subject is not None:
            raise UserError(
                f"{known.name} logs in with another account",
                f"An operator takes the old one off: lockgate hub member change {known.name} --drop-login",
                code="member-conflict",
            )
        return Binding(msgspec.structs.replace(_active(known), subject=login.subject), "bind")
    if new_members != "viewer":
        raise UserError(
            "you are known there, and no member of this hub",
            _way_in(login, email),
            code="login-unknown",
        )
    name = free_name(login, {member.name for member in members})
    full_name = "".join(c for c in login.full_name if c.isprintable())[:200].strip()
    return Binding(
        Member(name=name, email=email, full_name=full_name, subject=login.subject, roles={EVERY: "viewer"}),
        "add",
    )


def _invited(members: Sequence[Member], login: Login, email: str) -> Member | None:
    """Return the member that somebody is who never logged in there; `email` is vouched for, or empty."""
    if login.known_by == "name":
        return next((member for member in members if member.name == login.wished_name), None)
    if login.known_by == "address" and email:
        return next((member for member in members if member.email == email), None)
    return None


def _way_in(login: Login, email: str) -> str:
    """Return what who is no member can do."""
    if login.known_by == "address":
        shown = f" ({email})" if email else ", which it must vouch for"
        return f"Ask a lead to invite you with the e-mail address you have there{shown}."
    if login.known_by == "name" and is_name(login.wished_name):
        return f"Ask a lead to invite you by your name there: {login.wished_name}"
    return "Ask an operator of the hub: nobody is invited to this login."


def free_name(login: Login, taken: set[str]) -> str:
    """Return a member's name made of what the person is called there; never one that is taken."""
    wished = login.wished_name.partition("@")[0] or login.email.partition("@")[0] or "member"
    stem = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9._-]+", "-", wished.lower())).strip("-._")[:50]
    if not is_name(stem):
        stem = "member"
    if stem not in taken:
        return stem
    return next(name for number in range(2, len(taken) + 3) if (name := f"{stem}-{number}") not in taken)


def _active(member: Member) -> Member:
    if not member.is_active:
        raise UserError(
            f"{member.name} is no longer active on this hub",
            "Ask an operator of the hub.",
            code="member-inactive",
        )
    return member
