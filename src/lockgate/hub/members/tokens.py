"""Personal tokens: `lgt_ID_SECRET`. The book keeps a digest; the secret is shown once."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Sequence

import msgspec

from lockgate.errors import UserError
from lockgate.hub.instant import iso
from lockgate.hub.members.book import MemberBook
from lockgate.hub.members.names import require_label
from lockgate.hub.members.values import Member, Scope, Token

MOST_DAYS = 3660
MOST_TOKENS = 100
_DAY_S = 86_400
_SECRET = re.compile(r"lgt_([a-z2-7]{10})_[A-Za-z0-9_-]{43}")


def issue(
    book: MemberBook,
    member: str,
    name: str,
    scope: Scope,
    projects: Sequence[str] | None = None,
    days: int | None = None,
) -> tuple[Token, str]:
    """Give a member a token; return it and its secret, which cannot be had again.

    Raises `UserError`: `member-unknown`, `label-invalid`, `token-exists`, `token-days`, `project-unknown`.
    """
    require_label(name)
    for project in projects or ():
        book.hub.require_project(project)
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise UserError(
            f"a token cannot be good for {days} days", f"From 1 to {MOST_DAYS}.", code="token-days"
        )
    now = time.time()
    secret = f"lgt_{_new_id()}_{secrets.token_urlsafe(32)}"
    token = Token(
        id=secret.split("_")[1],
        name=name,
        digest=digest_of(secret),
        scope=scope,
        projects=tuple(dict.fromkeys(projects)) if projects else None,
        created_at=iso(now),
        expires_at=iso(now + days * _DAY_S) if days is not None else None,
    )

    def add(found: Member) -> Member:
        kept = tuple(each for each in found.tokens if not is_expired(each, iso(now)))
        if any(each.name == name for each in kept) or len(kept) >= MOST_TOKENS:
            raise UserError(
                f"{member} has a token {name} already"
                if len(kept) < MOST_TOKENS
                else f"{member} has {MOST_TOKENS} tokens",
                f"Revoke one: lockgate hub member revoke {member} NAME",
                code="token-exists",
            )
        return msgspec.structs.replace(found, tokens=(*kept, token))

    book.change(member, add)
    return token, secret


def revoke(book: MemberBook, member: str, token: str) -> Token:
    """Take a token, by its name or id, from a member.

    Raises `UserError`: `member-unknown`, `token-unknown`.
    """
    taken: list[Token] = []

    def drop(found: Member) -> Member:
        taken[:] = [each for each in found.tokens if token in (each.name, each.id)]
        if not taken:
            known = ", ".join(each.name for each in found.tokens) or "none"
            raise UserError(
                f"{member} has no token {token}", f"Those there are: {known}.", code="token-unknown"
            )
        return msgspec.structs.replace(found, tokens=tuple(e for e in found.tokens if e not in taken))

    book.change(member, drop)
    return taken[0]


def id_of(secret: str) -> str | None:
    """Return which token a secret is of; None: it is no token at all."""
    found = _SECRET.fullmatch(secret)
    return found[1] if found else None


def digest_of(secret: str) -> str:
    """A digest without salt or cost is enough: the secret has 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_expired(token: Token, now: str) -> bool:
    """Return whether a token's time is over; both times are UTC in one form, which sorts as text."""
    return token.expires_at is not None and token.expires_at <= now


def _new_id() -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(alphabet[byte & 31] for byte in os.urandom(10))
