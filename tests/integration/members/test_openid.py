"""Logging in by a real provider, small and on loopback; it tells lies too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from openid_provider import CLIENT, SECRET, Provider, new_key, provided

from lockgate.errors import LockgateError
from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.members import openid
from lockgate.hub.members.binding import Login
from lockgate.hub.members.book import open_book
from lockgate.hub.members.entering import enter
from lockgate.hub.members.logins import OpenIdSettings, read_logins, read_secret
from lockgate.hub.members.openid import OpenId
from lockgate.hub.members.values import Member

HERE = "http://127.0.0.1/login/openid/answer"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with provided() as provider:
        yield provider


@pytest.fixture
def client(provider: Provider) -> Iterator[OpenId]:
    client = OpenId(OpenIdSettings(issuer=provider.issuer, client_id=CLIENT), SECRET)
    yield client
    client.close()


def log_in(client: OpenId, **changed: str) -> Login:
    """Do what a browser does; `changed` are parameters of its answer that somebody else put there."""
    begun = client.begin(HERE)
    back = httpx.get(begun.url, follow_redirects=False).headers["Location"]
    assert back.startswith(HERE)
    return client.finish(begun, dict(parse_qsl(urlsplit(back).query)) | changed, HERE)


def refused(client: OpenId, **changed: str) -> str:
    with pytest.raises(LockgateError) as caught:
        log_in(client, **changed)
    assert caught.value.code in ("login-failed", "openid-provider")
    return caught.value.message


def test_a_login_tells_who_it_is(provider: Provider, client: OpenId) -> None:
    provider.person |= {"name": "Ada L.", "preferred_username": "ada"}
    for _ in range(2):
        assert log_in(client) == Login(
            subject=f"{provider.issuer} 1",
            email="ada@example.org",
            is_email_verified=True,
            full_name="Ada L.",
            wished_name="ada",
        )
    assert provider.asked.count("/jwks") == 1


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"iss": "http://elsewhere"}, "of another provider"),
        ({"aud": "other"}, "for somebody else"),
        ({"aud": [CLIENT, "other"]}, "for somebody else"),
        ({"azp": "other"}, "for somebody else"),
        ({"nonce": "other"}, "of another login"),
        ({"nonce": None}, "of another login"),
        ({"exp": 1}, "too old"),
        ({"exp": None}, "too old"),
        ({"iat": 1 << 40}, "look at the clocks"),
        ({"sub": ""}, "names nobody"),
        ({"sub": None}, "names nobody"),
    ],
)
def test_a_token_that_is_not_for_this_login_is_refused(
    provider: Provider, client: OpenId, overrides: dict[str, object], words: str
) -> None:
    provider.overrides = overrides
    assert words in refused(client)


def test_answers_that_were_tampered_with_are_refused(provider: Provider, client: OpenId) -> None:
    assert "not the answer" in refused(client, state="other")
    assert "does not come from the provider" in refused(client, iss="http://elsewhere")
    assert "the provider says: access denied" in refused(
        client, error="access_denied", error_description="access denied"
    )
    assert "does not take the code" in refused(client, code="other")
    assert "no code" in refused(client, code="")
    provider.is_iss_told = True
    fresh = OpenId(client.settings, SECRET)
    log_in(fresh)
    fresh.close()


def test_signatures_of_others_are_refused_and_new_keys_fetched(
    provider: Provider, client: OpenId, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(client)
    provider.signs_with = new_key("first")
    assert "not signed by the provider" in refused(client)
    provider.signs_with = None
    provider.key = new_key("second")
    assert "not signed by the provider" in refused(client)
    monkeypatch.setattr(openid, "_AGAIN_S", 0.0)
    log_in(client)


def test_a_token_without_signature_is_refused(provider: Provider, client: OpenId) -> None:
    begun = client.begin(HERE)
    described = client._described()
    for token in ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "a.b.c", ""):
        with pytest.raises(LockgateError, match="not signed by the provider"):
            client._verified(described, token)
    assert begun.nonce


def test_a_wrong_secret_or_verifier_is_refused(provider: Provider, client: OpenId) -> None:
    other = OpenId(client.settings, "wrong")
    assert "does not take the code" in refused(other)
    other.close()


def test_an_address_may_come_from_userinfo_of_the_same_person(provider: Provider, client: OpenId) -> None:
    provider.person = {"sub": "1"}
    provider.userinfo = {"sub": "1", "email": "ada@example.org", "email_verified": True}
    assert log_in(client).email == "ada@example.org"
    provider.userinfo = {"sub": "2", "email": "eve@example.org", "email_verified": True}
    assert "of somebody else" in refused(client)


def test_a_provider_that_is_another_or_gone_is_told(provider: Provider) -> None:
    for issuer in (provider.issuer + "/", "http://127.0.0.1:1"):
        client = OpenId(OpenIdSettings(issuer=issuer, client_id=CLIENT), SECRET, timeout_s=2)
        assert "does not answer as it should" in refused(client)
        client.close()


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return create_hub(tmp_path / "hub")[0]


def test_a_first_login_is_bound_and_the_next_is_known(provider: Provider, client: OpenId, hub: Hub) -> None:
    book = open_book(hub)
    with pytest.raises(LockgateError, match="no members yet"):
        enter(book, log_in(client), "viewer")
    assert book.is_open
    book.add(Member(name="ada", email="ada@example.org", roles={"*": "lead"}))
    assert enter(book, log_in(client), "none").name == "ada"
    assert book.require("ada").subject == f"{provider.issuer} 1"
    provider.person |= {"email": "other@example.org", "email_verified": False}
    assert enter(book, log_in(client), "none").name == "ada"
    provider.person = {"sub": "2", "email": "eve@example.org", "email_verified": True}
    with pytest.raises(LockgateError, match="no member of this hub"):
        enter(book, log_in(client), "none")
    actor = enter(book, log_in(client), "viewer")
    assert (actor.name, actor.roles) == ("eve", {"*": "viewer"})


def test_what_hub_toml_says(hub: Hub) -> None:
    assert read_logins(hub).openid is None
    file = hub.root / "hub.toml"
    secret = hub.root / "openid.secret"
    secret.write_text("s\n")
    text = '[openid]\nissuer = "https://idp.example.org"\nclient_id = "x"\n'
    text += 'client_secret_file = "openid.secret"\n'
    file.write_text(text)
    assert read_logins(hub).openid is not None
    secret.chmod(0o644)
    with pytest.raises(LockgateError, match="may be read by others"):
        read_secret(hub, "openid.secret")
    secret.chmod(0o600)
    assert read_secret(hub, "openid.secret") == "s"
    secret.write_text(" \n")
    with pytest.raises(LockgateError, match="is empty"):
        read_secret(hub, "openid.secret")
    jupyter = '[jupyterhub]\nurl = "https://jupyter.example.org/"\ntoken_file = "jupyterhub.token"\n'
    file.write_text(jupyter)
    found = read_logins(hub).jupyterhub
    assert found is not None
    assert (found.url, found.client_id) == ("https://jupyter.example.org", "service-lockgate")
    assert (found.has_same_names, found.new_members) == (False, "none")
    for wrong in (
        jupyter.replace("https:", "http:"),
        jupyter.replace(".org/", ".org/hub/"),
        jupyter.replace(".org/", ".org/?a=b"),
        jupyter.replace("https://jupyter.example.org/", "https://[::1"),
        jupyter.replace("https://", "https://ada:secret@"),
        '[jupyterhub]\nurl = "https://jupyter.example.org"\n',
        text + "colour = 1\n",
        text.replace("https:", "http:"),
        '[ldap]\nurl = "ldap://dir.example.org"\nperson = "uid={name}"\n',
        '[ldap]\nurl = "ldaps://dir.example.org"\nperson = "uid=x"\n',
        '[ldap]\nurl = "ldaps://dir.example.org"\nperson = "uid={name},o={x}"\n',
    ):
        file.write_text(wrong)
        with pytest.raises(LockgateError) as caught:
            read_logins(hub)
        assert caught.value.code == "hub-settings"
