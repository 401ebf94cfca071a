"""Logging in to a hub by a browser: for a server of the member's own, which never sees their password.

Authorization code flow with PKCE for a client without a secret: RFC 6749 (4.1), RFC 7636, RFC 9207.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from lockgate.errors import UserError
from lockgate.hub.http_client import HttpClient
from lockgate.hub.instant import iso
from lockgate.hub.login import LoggedIn, keep

SCOPE = "lockgate:write"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A login that was begun; what the browser does not get to see is `verifier`."""

    base: str
    client: str
    redirect_uri: str
    state: str
    verifier: str
    url: str
    """Where to send the browser."""


class _Given(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int


class _Me(msgspec.Struct, frozen=True):
    name: str


def begin(base: str, client: str, redirect_uri: str) -> Begun:
    """Begin a login at the hub of this address, as the client that its operator registered."""
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    url = f"{base}/oauth/authorize?{urlencode(query)}"
    return Begun(base=base, client=client, redirect_uri=redirect_uri, state=state, verifier=verifier, url=url)


def require_code(begun: Begun, answer: Mapping[str, str]) -> str:
    """Return the code out of the query that the browser came back with.

    Raises `UserError` (`login-failed`): it is not the answer to this login, or says no.
    """
    if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
        raise failed("this is not the answer to a login that was begun here")
    if answer.get("iss") != begun.base:
        raise failed("the answer is of another hub")
    if "error" in answer:
        words = "".join(c for c in answer.get("error_description") or answer["error"] if c.isprintable())
        raise failed(f"the hub says: {words[:200]}")
    if not answer.get("code"):
        raise failed("the hub sent no code")
    return answer["code"]


def finish(begun: Begun, code: str) -> LoggedIn:
    """Trade the code for a token, and keep it as `lockgate login` does.

    Raises `UserError` (`login-failed`), `OutsideError` (`hub-unreachable`, `hub-answer`,
    `credentials-unwritable`).
    """
    form = {
        "grant_type": "authorization_code",
        "client_id": begun.client,
        "code": code,
        "redirect_uri": begun.redirect_uri,
        "code_verifier": begun.verifier,
    }
    given = HttpClient(begun.base).post_form("/oauth/token", _Given, form)
    me = HttpClient(begun.base, f"Bearer {given.access_token}").get(["me"], _Me)
    expires_at = iso(time.time() + given.expires_in)
    return keep(begun.base, me.name, given.access_token, expires_at, begun.client)


def is_let_in(base: str) -> bool:
    """Return whether the hub knows who asks from here. Raises as `HttpClient.get`."""
    try:
        HttpClient(base).get(["me"], _Me)
    except UserError as error:
        if error.code != "login-needed":
            raise
        return False
    return True


def failed(words: str) -> UserError:
    return UserError(f"the login did not succeed: {words}", "Begin it again.", code="login-failed")
