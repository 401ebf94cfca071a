"""Trading a code for a token: who asks, and whether the code is theirs. Without clock, disk and network.

RFC 6749 (sections 2.3, 4.1.3, 5.2), RFC 7636 (section 4.6), RFC 9700 (section 2.1.1).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

import msgspec

from lockgate.hub.members.code_flow import challenge_of
from lockgate.hub.oauth.client import Client

#: A code is good for so long: RFC 6749 allows ten minutes, a browser's way back takes a second.
CODE_S = 60.0

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class Denied(msgspec.Struct, frozen=True):
    """Why there is no token: the error's name in RFC 6749, section 5.2, and words."""

    error: str
    words: str


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a member gave a program. Times: seconds since the epoch."""

    client: str
    member: str
    mark: str
    """By which the member is told from another of the name, and from themself with another password."""
    redirect_uri: str
    challenge: str
    scopes: tuple[str, ...]
    nonce: str
    created_at: float
    used_at: float | None = None
    """When the code was traded."""
    expires_at: float
    """The end of the token; before there is one, of the code."""


def client_of(
    clients: Mapping[str, Client], form: Mapping[str, str], basic: tuple[str, str] | None
) -> Client | Denied:
    """Return which client asks: by its secret in the header (`basic`) or the form, or one that has none."""
    if basic is not None and "client_secret" in form:
        return Denied("invalid_request", "the client's secret comes once")
    name, secret = basic if basic is not None else (form.get("client_id", ""), form.get("client_secret", ""))
    if basic is not None and form.get("client_id", name) != name:
        return Denied("invalid_request", "the client's id comes once")
    client = clients.get(name)
    is_right = client is not None and (client.has_secret(secret) if client.secret else not secret)
    if client is None or not is_right:
        return Denied("invalid_client", "the client or its secret is not right")
    return client


def verdict(
    grant: Grant | None, client: Client, redirect_uri: str, verifier: str, now: float
) -> Denied | None:
    """Return why a code is not taken; None: it is.

    One word for all of it, as nobody who is honest needs to know which: it was used, is too old, another
    client's, for another place, or of who cannot show the verifier.
    """
    if grant is None or grant.used_at is not None or now >= grant.created_at + CODE_S:
        return Denied("invalid_grant", "this code is unknown, used, or too old")
    if grant.client != client.id or grant.redirect_uri != redirect_uri:
        return Denied("invalid_grant", "this code was given to another")
    if not is_proven(grant.challenge, verifier):
        return Denied("invalid_grant", "the verifier does not fit")
    return None


def is_proven(challenge: str, verifier: str) -> bool:
    """Return whether a verifier fits; one where nothing was asked is a downgrade, and does not."""
    if not challenge or not verifier:
        return not challenge and not verifier
    is_one = _VERIFIER.fullmatch(verifier) is not None
    return is_one and hmac.compare_digest(challenge_of(verifier).encode(), challenge.encode())
