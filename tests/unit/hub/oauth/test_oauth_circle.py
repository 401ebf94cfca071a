"""A JupyterHub and a hub that would each ask the other who somebody is."""

from __future__ import annotations

import pytest

from lockgate.errors import UserError
from lockgate.hub.members.logins import JupyterHubSettings, Logins
from lockgate.hub.oauth.circle import require_no_circle
from lockgate.hub.oauth.client import Client

THERE = Logins(jupyterhub=JupyterHubSettings(url="https://jupyter.example.org", token_file="t"))


def clients(*uris: str) -> dict[str, Client]:
    return {"one": Client(id="one", label="One", secret=None, redirect_uris=uris, scopes=("openid",))}


@pytest.mark.parametrize(
    "uri",
    [
        "https://jupyter.example.org/hub/oauth_callback",
        "https://JUPYTER.example.org:443/hub/oauth_callback",
        "https://jupyter.example.org/hub/oidc/oauth_callback?next=1",
    ],
)
def test_it_is_refused_with_both_tables_named(uri: str) -> None:
    with pytest.raises(UserError) as caught:
        require_no_circle(clients("https://elsewhere.example.org/", uri), THERE)
    assert caught.value.code == "hub-settings"
    assert "[jupyterhub]" in caught.value.message and "[oauth.one]" in caught.value.message


@pytest.mark.parametrize(
    "uri",
    [
        "https://jupyter.example.org/user/{member}/lockgate/answer",
        "https://jupyter.example.org/hubs/oauth_callback",
        "https://jupyter.example.org:8443/hub/oauth_callback",
        "https://other.example.org/hub/oauth_callback",
    ],
)
def test_other_places_are_none_of_it(uri: str) -> None:
    require_no_circle(clients(uri), THERE)


def test_without_a_jupyterhub_to_log_in_by_there_is_none() -> None:
    require_no_circle(clients("https://jupyter.example.org/hub/oauth_callback"), Logins())
