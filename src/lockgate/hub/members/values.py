"""A member, a token, and somebody who acts: values."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["lead", "member", "viewer"]
Scope = Literal["read", "write", "admin"]

ROLES: tuple[Role, ...] = ("lead", "member", "viewer")
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")

#: Stands for every project of the hub where roles and parties are given.
EVERY = "*"


class Token(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """A personal token; its secret is shown once and kept nowhere."""

    id: str
    name: str
    digest: str
    """sha256 of the secret, in hex."""
    scope: Scope
    projects: tuple[str, ...] | None = None
    """The only projects it is good for; None: every one its member has."""
    created_at: str
    expires_at: str | None = None


class Member(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """A person on the hub. Times: UTC, ISO 8601."""

    name: str
    id: str = ""
    """Random, given on admission: nobody else of the name ever has it."""
    email: str = ""
    full_name: str = ""
    is_operator: bool = False
    password: str | None = None
    """Its argon2 digest."""
    keys: tuple[str, ...] = ()
    """ssh public keys, `TYPE BASE64 COMMENT`."""
    tokens: tuple[Token, ...] = ()
    roles: dict[str, Role] = {}
    """By project; `*` for those not named."""
    parties: dict[str, tuple[str, ...]] = {}
    """By project (or `*`): the parties this member signs off for."""
    subject: str | None = None
    """Who this is elsewhere, to a provider, a JupyterHub or a directory: `ISSUER SUBJECT`."""
    is_active: bool = True
    created_at: str = ""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who acts, and the limits within which: what rules are asked about."""

    name: str
    is_owner: bool = False
    """The hub's own account: by path, by plain ssh, on the command line of its host."""
    is_operator: bool = False
    roles: dict[str, Role] = {}
    parties: dict[str, tuple[str, ...]] = {}
    scope: Scope = "admin"
    """With `projects`: what a token narrows its member to."""
    projects: tuple[str, ...] | None = None


OWNER = Actor(name="owner", is_owner=True)
