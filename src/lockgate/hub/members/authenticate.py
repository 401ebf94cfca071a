"""Finding out who somebody is, by password or by token.

Answers take as long for a name nobody has as for a wrong password.
"""

from __future__ import annotations

import hmac
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from lockgate.errors import UserError
from lockgate.hub.instant import iso
from lockgate.hub.members.book import MemberBook
from lockgate.hub.members.rules import actor_of
from lockgate.hub.members.tokens import digest_of, id_of, is_expired
from lockgate.hub.members.values import Actor, Member

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 10, 1024


def by_password(book: MemberBook, name: str, password: str) -> Actor | None:
    """Return who this is, or None. A digest of weaker settings than today's is replaced.

    Takes tens of milliseconds of a core and 64 MiB: rate-limit it, and keep it off an event loop.
    """
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

    hasher, nobodys = _hasher(), _nobodys()
    member = book.find(name)
    known = member.password if member is not None and member.password else None
    is_right = False
    try:
        is_right = hasher.verify(known or nobodys, password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        is_right = False
    if member is None or known is None or not is_right or len(password) > LONGEST:
        return None
    actor = actor_of(member)
    if actor is not None and hasher.check_needs_rehash(known):
        set_password(book, name, password)
    return actor


def by_token(book: MemberBook, secret: str) -> Actor | None:
    """Return who acts by a token, within its limits; None: it is unknown, revoked or over."""
    wanted = id_of(secret)
    if wanted is None:
        return None
    digest, now = digest_of(secret), iso(time.time())
    for member in book.members():
        for token in member.tokens:
            if token.id == wanted and hmac.compare_digest(token.digest, digest):
                return None if is_expired(token, now) else actor_of(member, token)
    return None


def set_password(book: MemberBook, name: str, password: str) -> None:
    """Give a member a password. Raises `UserError`: `password-weak`, `member-unknown`."""
    digest = hash_password(password, (name,))

    def change(member: Member) -> Member:
        return msgspec.structs.replace(member, password=digest)

    book.change(name, change)


def hash_password(password: str, words: tuple[str, ...] = ()) -> str:
    """Return a password's argon2id digest. `words`, such as the member's name, it must not be.

    Raises `UserError` (`password-weak`).
    """
    is_one_of = password.lower() in {word.lower() for word in words}
    if not SHORTEST <= len(password) <= LONGEST or len(set(password)) < 4 or is_one_of:
        raise UserError(
            "this password is too easy to guess" if len(password) <= LONGEST else "this password is too long",
            f"Use {SHORTEST} to {LONGEST} characters; a few words in a row are good.",
            code="password-weak",
        )
    return _hasher().hash(password)


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    """With argon2-cffi's own settings: RFC 9106's for little memory."""
    from argon2 import PasswordHasher  # noqa: PLC0415  (hooks know members by name and need no argon2)

    return PasswordHasher()


@lru_cache(maxsize=1)
def _nobodys() -> str:
    """The digest that is checked where there is none, so that this takes as long."""
    return _hasher().hash("the password of nobody")
