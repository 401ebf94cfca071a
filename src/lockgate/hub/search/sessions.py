"""Browser sessions. The browser holds a secret; the database its digest, so that reading it opens nothing."""

from __future__ import annotations

import hashlib
import secrets
import time

import msgspec
from sqlalchemy import delete, insert, select

from lockgate.hub.members.mark import mark_of
from lockgate.hub.members.values import Member
from lockgate.hub.search.database import Database
from lockgate.hub.search.tables import sessions

DAY_S = 86_400.0


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Who a browser belongs to, until when (seconds since the epoch), and the token its forms carry."""

    member: str
    csrf: str
    mark: str
    """By which the member is told from another of the name, and from themself with another password."""
    created_at: float
    expires_at: float


def create_session(
    database: Database, member: Member, days: float = 14, now: float | None = None
) -> tuple[str, Session]:
    """Begin a session and return its secret, which is kept nowhere, with the session.

    Sessions that are over are swept away on the occasion.
    """
    secret = secrets.token_urlsafe(32)
    at = time.time() if now is None else now
    session = Session(
        member=member.name,
        csrf=secrets.token_urlsafe(32),
        mark=mark_of(member),
        created_at=at,
        expires_at=at + days * DAY_S,
    )
    with database.write() as connection:
        connection.execute(delete(sessions).where(sessions.c.expires_at <= at))
        connection.execute(insert(sessions).values(digest=_digest(secret), **msgspec.structs.asdict(session)))
    return secret, session


def find_session(database: Database, secret: str, now: float | None = None) -> Session | None:
    """Return the session of a secret; None: there is none, or it is over."""
    at = time.time() if now is None else now
    question = select(sessions).where(sessions.c.digest == _digest(secret), sessions.c.expires_at > at)
    with database.read() as connection:
        row = connection.execute(question).first()
    if row is None:
        return None
    return Session(
        member=row.member,
        csrf=row.csrf,
        mark=row.mark,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def end_session(database: Database, secret: str) -> None:
    """End a session; one that is over already is no error."""
    with database.write() as connection:
        connection.execute(delete(sessions).where(sessions.c.digest == _digest(secret)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
