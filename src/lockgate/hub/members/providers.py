"""The providers that people log in by, as the settings name them; each is made when first needed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.members.binding import Login
from lockgate.hub.members.code_flow import Begun
from lockgate.hub.members.logins import (
    JupyterHubSettings,
    Logins,
    NewMembers,
    OpenIdSettings,
    read_secret,
)


class LoginProvider(Protocol):
    """One that vouches for people. Its calls wait for the network."""

    def begin(self, redirect_uri: str) -> Begun:
        """Begin a login: where to send the browser."""

    def finish(self, begun: Begun, answer: Mapping[str, str], redirect_uri: str) -> Login:
        """Return who it is, by the query that the browser came back with."""

    def close(self) -> None: ...


class Providers:
    """Those of one hub, by the name of their table in `hub.toml`. Safe to use from threads.

    Raises `UserError` (`hub-settings`) where a secret of theirs cannot be read.
    """

    def __init__(self, hub: Hub, logins: Logins) -> None:
        self._settings: dict[str, OpenIdSettings | JupyterHubSettings] = {}
        self._secrets: dict[str, str | None] = {}
        if logins.openid is not None:
            file = logins.openid.client_secret_file
            self._settings["openid"] = logins.openid
            self._secrets["openid"] = read_secret(hub, file) if file else None
        if logins.jupyterhub is not None:
            self._settings["jupyterhub"] = logins.jupyterhub
            self._secrets["jupyterhub"] = read_secret(hub, logins.jupyterhub.token_file)
        self._made: dict[str, LoginProvider] = {}
        self._lock = threading.Lock()

    @property
    def labels(self) -> dict[str, str]:
        """What the login page calls them, by name."""
        return {name: settings.label for name, settings in self._settings.items()}

    def new_members(self, name: str) -> NewMembers:
        """Return what becomes of people the hub does not know. Raises `UserError` (`login-unknown`)."""
        return self._known(name).new_members

    def find(self, name: str) -> LoginProvider:
        """Return a provider. Raises `UserError` (`login-unknown`)."""
        settings = self._known(name)
        with self._lock:
            if name not in self._made:
                self._made[name] = _made(settings, self._secrets[name])
            return self._made[name]

    def close(self) -> None:
        with self._lock:
            for provider in self._made.values():
                provider.close()
            self._made.clear()

    def _known(self, name: str) -> OpenIdSettings | JupyterHubSettings:
        if name not in self._settings:
            raise UserError(
                "this hub does not let people in that way",
                "Its ways in are on its page Log in.",
                code="login-unknown",
            )
        return self._settings[name]


def _made(settings: OpenIdSettings | JupyterHubSettings, secret: str | None) -> LoginProvider:
    # Both are heavy, and need an extra
    if isinstance(settings, OpenIdSettings):
        from lockgate.hub.members.openid import OpenId  # noqa: PLC0415

        return OpenId(settings, secret)
    from lockgate.hub.members.jupyterhub import JupyterHub  # noqa: PLC0415

    return JupyterHub(settings, secret or "")
