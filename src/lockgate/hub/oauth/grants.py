"""What members gave programs, in the hub's database: of codes and tokens it has digests, so that reading it
opens nothing. Losing it means logging in again."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, update

from lockgate.hub.members.mark import mark_of
from lockgate.hub.members.values import Member
from lockgate.hub.oauth.client import Client
from lockgate.hub.oauth.trading import CODE_S, Denied, Grant, verdict
from lockgate.hub.search.database import Database
from lockgate.hub.search.tables import oauth_grants

#: So many grants of one member to one program at most: the oldest ends with the next.
MOST = 50
PREFIX = "lgo_"


class Traded(msgspec.Struct, frozen=True):
    """A code that was taken, and the token for it, which is kept nowhere."""

    grant: Grant
    token: str


def is_token(secret: str) -> bool:
    """Return whether a secret has the form of a token that a program was given."""
    return secret.startswith(PREFIX) and len(secret) < 100


def give_code(
    database: Database,
    client: Client,
    member: Member,
    *,
    redirect_uri: str,
    challenge: str,
    scopes: Sequence[str],
    nonce: str,
    now: float | None = None,
) -> str:
    """Let a program have a token of this member's: return the code for it. What is over is swept away."""
    at = time.time() if now is None else now
    code = secrets.token_urlsafe(32)
    mine = (oauth_grants.c.member == member.name) & (oauth_grants.c.client == client.id)
    kept = select(oauth_grants.c.code).where(mine).order_by(oauth_grants.c.created_at.desc()).limit(MOST - 1)
    with database.write() as connection:
        connection.execute(delete(oauth_grants).where(oauth_grants.c.expires_at <= at))
        newest = connection.execute(kept).scalars().all()
        if len(newest) == MOST - 1:
            connection.execute(delete(oauth_grants).where(mine & oauth_grants.c.code.not_in(newest)))
        connection.execute(
            insert(oauth_grants).values(
                code=_digest(code),
                client=client.id,
                member=member.name,
                mark=mark_of(member),
                redirect_uri=redirect_uri,
                challenge=challenge,
                scopes=" ".join(scopes),
                nonce=nonce,
                created_at=at,
                expires_at=at + CODE_S,
            )
        )
    return code


def trade(
    database: Database, client: Client, code: str, redirect_uri: str, verifier: str, now: float | None = None
) -> Traded | Denied:
    """Take a code once. One that comes again, or from elsewhere, was stolen: what it gave ends."""
    at = time.time() if now is None else now
    which = oauth_grants.c.code == _digest(code)
    with database.write() as connection:
        row = connection.execute(select(oauth_grants).where(which).with_for_update()).first()
        grant = _grant(row) if row is not None else None
        denied = verdict(grant, client, redirect_uri, verifier, at)
        if denied is not None or grant is None:
            connection.execute(delete(oauth_grants).where(which))
            return denied or Denied("invalid_grant", "this code is unknown")
        token = PREFIX + secrets.token_urlsafe(32)
        changed = {"token": _digest(token), "used_at": at, "expires_at": at + client.token_s}
        connection.execute(update(oauth_grants).where(which).values(changed))
    return Traded(msgspec.structs.replace(grant, used_at=at, expires_at=at + client.token_s), token)


def find_grant(database: Database, token: str, now: float | None = None) -> Grant | None:
    """Return what a token is good for; None: it is unknown, revoked or over."""
    if not is_token(token):
        return None
    at = time.time() if now is None else now
    question = select(oauth_grants).where(
        oauth_grants.c.token == _digest(token), oauth_grants.c.expires_at > at
    )
    with database.read() as connection:
        row = connection.execute(question).first()
    return _grant(row) if row is not None else None


def end_grant(database: Database, token: str) -> None:
    """End a token; one that is over already is no error."""
    with database.write() as connection:
        connection.execute(delete(oauth_grants).where(oauth_grants.c.token == _digest(token)))


def grants_of(database: Database, member: Member, now: float | None = None) -> list[Grant]:
    """Return the tokens that programs have of a member, newest first."""
    at = time.time() if now is None else now
    question = (
        select(oauth_grants)
        .where(
            oauth_grants.c.member == member.name,
            oauth_grants.c.mark == mark_of(member),
            oauth_grants.c.used_at.is_not(None),
            oauth_grants.c.expires_at > at,
        )
        .order_by(oauth_grants.c.used_at.desc())
    )
    with database.read() as connection:
        return [_grant(row) for row in connection.execute(question)]


def end_all(database: Database, member: str, client: str) -> None:
    """End whatever a member gave a program."""
    mine = (oauth_grants.c.member == member) & (oauth_grants.c.client == client)
    with database.write() as connection:
        connection.execute(delete(oauth_grants).where(mine))


def _grant(row: Row[Any]) -> Grant:
    return Grant(
        client=row.client,
        member=row.member,
        mark=row.mark,
        redirect_uri=row.redirect_uri,
        challenge=row.challenge,
        scopes=tuple(row.scopes.split()),
        nonce=row.nonce,
        created_at=row.created_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
