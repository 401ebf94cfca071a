"""Logging in to a hub by a browser: for a server of the member's own, which never sees their password.

Authorization code flow with PKCE for a client without a secret: RFC 6749 (4.1), RFC 7636, RFC 9207.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

import msgspec

from lockgate.errors import UserError
from lockgate.hub.instant import iso
from lockgate.hub.members.authorization_request import authorization_url
from lockgate.hub.members.code_flow import require_code
from lockgate.hub.reaching.http_client import HttpClient
from lockgate.hub.worktree.login import LoggedIn, keep

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
    url = authorization_url(
        f"{base}/oauth/authorize",
        client_id=client,
        redirect_uri=redirect_uri,
        state=state,
        verifier=verifier,
        scope=SCOPE,
    )
    return Begun(base=base, client=client, redirect_uri=redirect_uri, state=state, verifier=verifier, url=url)


def code_in(begun: Begun, answer: Mapping[str, str]) -> str:
    """Return the code out of the query that the browser came back with. Raises as `require_code`."""
    return require_code(answer, state=begun.state, issuer=begun.base, names_itself=True, who="the hub")


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
