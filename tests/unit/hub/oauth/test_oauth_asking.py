"""What programs may ask of the hub, and where an answer may go."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.errors import UserError
from lockgate.hub.oauth.asking import Asked, Refusal, read_request
from lockgate.hub.oauth.client import Client, secret_digest

HUB = "https://jupyter.example.org/hub/oauth_callback"
OWN = "https://jupyter.example.org/user/{member}/lockgate/answer"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
KNOWN = Client(
    id="jupyterhub",
    label="JupyterHub",
    secret=secret_digest("s" * 40),
    redirect_uris=(HUB,),
    scopes=("openid", "groups"),
)
PUBLIC = msgspec.structs.replace(KNOWN, id="lab", label="Lab", secret=None, redirect_uris=(OWN,))
CLIENTS = {client.id: client for client in (KNOWN, PUBLIC)}
RIGHT = {
    "response_type": "code",
    "client_id": "jupyterhub",
    "redirect_uri": HUB,
    "scope": "openid groups",
    "state": "s&=? /",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def read(*more: tuple[str, str], member: str | None = "ada", **changed: str | None) -> Asked | Refusal:
    values = {name: value for name, value in (RIGHT | changed).items() if value is not None}
    return read_request([*values.items(), *more], CLIENTS, member)


def test_what_is_in_order_is_taken_as_it_is() -> None:
    asked = read(nonce="n")
    assert isinstance(asked, Asked)
    assert (asked.client, asked.redirect_uri, asked.state, asked.scopes) == (
        KNOWN,
        HUB,
        "s&=? /",
        ("openid", "groups"),
    )
    assert (asked.nonce, asked.challenge, asked.has_to_ask) == ("n", CHALLENGE, True)
    assert isinstance(read(state=None, code_challenge=None, code_challenge_method=None), Asked)


@pytest.mark.parametrize(
    "uri",
    [
        None, "", HUB + "/", HUB + "?a=1", HUB + "#a", HUB.replace("https", "http"), HUB.upper(),
        HUB.replace(".org", ".org.evil.example"), "https://jupyter.example.org/hub/../evil", "//evil.example",
        "https://evil.example/hub/oauth_callback", "javascript:alert(1)", OWN.replace("{member}", "ada"), OWN,
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_place(uri: str | None) -> None:
    for wrong in ({}, {"response_type": "token"}):
        with pytest.raises(UserError) as caught:
            read(redirect_uri=uri, **wrong)
        assert caught.value.code == "oauth-request"


def test_a_place_of_ones_own_is_for_its_member_alone() -> None:
    mine, hers = (OWN.replace("{member}", name) for name in ("ada", "eve"))
    asked = read(client_id="lab", redirect_uri=mine)
    assert isinstance(asked, Asked) and asked.redirect_uri == mine
    for uri in (hers, OWN, OWN.replace("{member}", "ada/../eve"), OWN.replace("{member}", "ADA")):
        with pytest.raises(UserError):
            read(client_id="lab", redirect_uri=uri)
    early = read(client_id="lab", redirect_uri=hers, member=None, prompt="none")
    assert isinstance(early, Asked) and early.redirect_uri == ""
    with pytest.raises(UserError):
        read(client_id="lab", redirect_uri=hers, member=None, response_type="token")


@pytest.mark.parametrize("changed", [{"client_id": "nobody"}, {"client_id": None}, {"state": "a\r\nb"}])
def test_what_cannot_be_told_apart_goes_nowhere(changed: dict[str, str | None]) -> None:
    with pytest.raises(UserError):
        read(**changed)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "code_challenge_method"])
def test_a_parameter_comes_once(name: str) -> None:
    with pytest.raises(UserError, match="twice"):
        read((name, RIGHT[name]))
    assert isinstance(read(("utm", "1"), ("utm", "2")), Asked)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "openid lockgate:write"}, "invalid_scope"),
        ({"request": "e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example"}, "request_uri_not_supported"),
        ({"prompt": "login"}, "invalid_request"),
        ({"max_age": "0"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
    ],
)
def test_what_is_not_in_order_is_told_to_who_asked(changed: dict[str, str | None], error: str) -> None:
    told = read(**changed)
    assert isinstance(told, Refusal)
    assert (told.error, told.redirect_uri, told.state) == (error, HUB, "s&=? /")


def test_who_has_no_secret_has_to_use_pkce() -> None:
    uri = OWN.replace("{member}", "ada")
    told = read(client_id="lab", redirect_uri=uri, code_challenge=None, code_challenge_method=None)
    assert isinstance(told, Refusal) and told.error == "invalid_request"


def test_the_operator_says_who_is_not_asked_about() -> None:
    clients = {"jupyterhub": msgspec.structs.replace(KNOWN, is_trusted=True)}
    for prompt, has_to_ask in (("", False), ("none", False), ("consent", True)):
        asked = read_request([*RIGHT.items(), ("prompt", prompt)], clients, "ada")
        assert isinstance(asked, Asked) and asked.has_to_ask is has_to_ask
