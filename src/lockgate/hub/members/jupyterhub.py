"""Logging in by a JupyterHub, of which the hub is a service: trade the code for who its user is.

https://jupyterhub.readthedocs.io/en/stable/howto/services-in-depth.html: authorization code flow at
`/hub/api/oauth2`, the client's secret in the form, no ID token: `/hub/api/user` tells whose the token is.
JupyterHub 6 checks PKCE, those before it pay no heed to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec

from lockgate.errors import OutsideError
from lockgate.hub.members.authorization_request import authorization_url
from lockgate.hub.members.binding import Login
from lockgate.hub.members.code_flow import Begun, failed, require_code
from lockgate.hub.members.logins import JupyterHubSettings
from lockgate.hub.members.provider_http import ProviderHttp


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class _Person(msgspec.Struct, frozen=True):
    name: str
    kind: str


class JupyterHub:
    """One JupyterHub. Safe to use from threads; its calls wait for the network."""

    def __init__(self, settings: JupyterHubSettings, token: str, timeout_s: float = 10.0) -> None:
        self.settings = settings
        self._token = token
        self._http = ProviderHttp(broken, timeout_s)

    def close(self) -> None:
        self._http.close()

    def begin(self, redirect_uri: str) -> Begun:
        """Begin a login."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        url = authorization_url(
            f"{self.settings.url}/hub/api/oauth2/authorize",
            client_id=self.settings.client_id,
            redirect_uri=redirect_uri,
            state=state,
            verifier=verifier,
        )
        return Begun(url=url, state=state, verifier=verifier)

    def finish(self, begun: Begun, answer: Mapping[str, str], redirect_uri: str) -> Login:
        """Return who it is, by the query that the browser came back with.

        Raises `UserError` (`login-failed`), `OutsideError` (`jupyterhub-login`).
        """
        code = require_code(
            answer, state=begun.state, issuer=self.settings.url, names_itself=False, who=self.settings.label
        )
        token = self._trade(code, begun.verifier, redirect_uri)
        headers = {"authorization": f"Bearer {token}"}
        person = self._http.get(f"{self.settings.url}/hub/api/user", _Person, headers)
        if person.kind != "user" or not 0 < len(person.name) <= 255 or not person.name.isprintable():
            raise failed(f"{self.settings.label} names nobody")
        return Login(
            subject=f"{self.settings.url} {person.name}",
            wished_name=person.name,
            known_by="name" if self.settings.has_same_names else "nothing",
        )

    def _trade(self, code: str, verifier: str, redirect_uri: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.settings.client_id,
            "client_secret": self._token,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        answer = self._http.post(f"{self.settings.url}/hub/api/oauth2/token", form)
        if answer.status in (400, 401):
            refusal = self._http.said(answer, _Refusal)
            if refusal.error == "invalid_client":
                raise broken("it does not know the hub by this client_id and token")
            raise failed(f"{self.settings.label} does not take the code")
        token = self._http.parsed(answer, _Tokens).access_token
        if not token.isascii() or not token.isprintable() or len(token) > 4096:
            raise broken("the token it gives is none")
        return token


def broken(words: str) -> OutsideError:
    return OutsideError(
        f"JupyterHub does not answer as it should: {words}",
        "Look at [jupyterhub] in hub.toml, at JupyterHub's services, and at its log.",
        code="jupyterhub-login",
        is_transient=True,
    )
