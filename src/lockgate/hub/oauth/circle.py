"""Whether a JupyterHub would log people in by the hub that logs them in by it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from lockgate.errors import UserError
from lockgate.hub.members.logins import Logins
from lockgate.hub.oauth.client import Client

_PORTS = {"https": 443, "http": 80}


def require_no_circle(clients: Mapping[str, Client], logins: Logins) -> None:
    """Refuse settings by which nobody could ever log in. Raises `UserError` (`hub-settings`).

    Servers of members below the same JupyterHub may have the hub let them in: those are not its login.
    """
    if logins.jupyterhub is None:
        return
    url = logins.jupyterhub.url
    for client in clients.values():
        if any(_is_below(uri, f"{url}/hub/") for uri in client.redirect_uris):
            raise UserError(
                f"hub.toml lets people log in to the hub by {url}, and to that by the hub"
                f" ([jupyterhub] and [oauth.{client.id}]): nobody could",
                f"Take [jupyterhub] out, where JupyterHub asks the hub; else take [oauth.{client.id}] out.",
                code="hub-settings",
            )


def _is_below(uri: str, place: str) -> bool:
    return _origin(uri) == _origin(place) and urlsplit(uri).path.startswith(urlsplit(place).path)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
