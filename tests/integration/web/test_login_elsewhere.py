"""Logging in by an OpenID provider and by a directory, as a browser does it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from directory import PASSWORD, SLAPD, SUFFIX, directory
from openid_provider import CLIENT, SECRET, Provider, provided
from web_site import Site, served

from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Member

PAGE = {"accept": "text/html"}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with provided() as provider:
        yield provider


def site_with(folder: Path, site: Site, tables: str) -> None:
    site.project(has_run=False)
    (site.folder / "hub.toml").write_text(f'[service]\npublic_url = "{site.url}"\n{tables}')
    open_book(site.hub).add(Member(name="ada", email="ada@example.org", roles={"flights": "lead"}))
    site.start()


@pytest.fixture
def site(tmp_path: Path, provider: Provider) -> Iterator[Site]:
    with served(tmp_path) as site:
        secret = site.folder / "openid.secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        table = f'[openid]\nissuer = "{provider.issuer}"\nclient_id = "{CLIENT}"\nlabel = "The institute"\n'
        site_with(tmp_path, site, table + 'client_secret_file = "openid.secret"\n')
        yield site


def test_the_provider_lets_in_whom_it_vouches_for(site: Site, provider: Provider) -> None:
    with site.client(headers=PAGE) as browser:
        page = browser.get("/login?next=/p/flights").text
        found = re.search(r'href="([^"]+)">The institute<', page)
        assert found is not None
        sent = browser.get(found[1].replace("&amp;", "&"))
        assert sent.headers["location"].startswith(provider.issuer)
        assert "HttpOnly" in sent.headers["set-cookie"]
        back = httpx.get(sent.headers["location"]).headers["location"]
        assert back.startswith(f"{site.url}/login/openid/answer?")
        done = browser.get(back)
        assert (done.status_code, done.headers["location"]) == (303, "/p/flights")
        assert browser.get("/p/flights").status_code == 200
        assert browser.get(back).status_code == 401
    assert open_book(site.hub).require("ada").subject == f"{provider.issuer} 1"


def test_an_answer_to_nobody_and_a_stranger_are_refused(site: Site, provider: Provider) -> None:
    with site.client(headers=PAGE) as browser:
        sent = browser.get("/login/openid?next=//evil.example").headers["location"]
        back = httpx.get(sent).headers["location"]
        with site.client(headers=PAGE) as other:
            refused = other.get(back)
            assert refused.status_code == 401
            assert "was not begun in this browser" in refused.text
        assert browser.get(back).headers["location"] == "/"
    provider.person = {"sub": "2", "email": "eve@example.org", "email_verified": True}
    with site.client(headers=PAGE) as browser:
        back = httpx.get(browser.get("/login/openid").headers["location"]).headers["location"]
        assert "no member of this hub" in browser.get(back).text
        assert browser.get("/p/flights").status_code == 303


def test_the_directory_lets_in_by_its_password(tmp_path: Path) -> None:
    if SLAPD is None:
        warnings.warn("NOT TESTED: logins by LDAP; install slapd", stacklevel=1)
        pytest.skip("NOT TESTED: logins by LDAP, for want of slapd (apt-get install slapd)")
    folder = tmp_path / "slapd"
    folder.mkdir()
    with directory(folder) as slapd, served(tmp_path) as site:
        person = f'url = "{slapd.url}"\nperson = "uid={{name}},ou=people,{SUFFIX}"\n'
        site_with(tmp_path, site, f"[ldap]\n{person}")
        api = f"{site.url}/api/v1/me"
        assert httpx.get(api, auth=("ada", "wrong")).status_code == 401
        assert httpx.get(api, auth=("ada", PASSWORD)).json()["name"] == "ada"
