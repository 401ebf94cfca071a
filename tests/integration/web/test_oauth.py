"""The hub as provider of OAuth 2 and OpenID Connect: what a program and a browser see of it."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from web_site import PASSWORD, Site, served

from lockgate.activity import chain
from lockgate.git.objects import Repository
from lockgate.hub.members.book import open_book
from lockgate.hub.members.changes import remove
from lockgate.hub.members.logins import OpenIdSettings
from lockgate.hub.members.mark import subject_of
from lockgate.hub.members.openid import OpenId
from lockgate.hub.members.values import OWNER

PAGE = {"accept": "text/html"}
SECRET = "of the client: 100 % + & =, and long enough"
BACK = "https://jupyter.example.org/hub/oauth_callback"
MINE = "https://jupyter.example.org/user/{member}/lockgate/answer"
PREFIX = "/lock"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hub below a path, with a program that is trusted, one that is not, and one without a secret."""
    with served(tmp_path_factory.mktemp("oauth")) as site:
        site.project(has_run=False)
        site.member("ada", "lead")
        file = site.folder / "client.secret"
        file.write_text(SECRET)
        file.chmod(0o600)
        known = f'secret_file = "client.secret"\nredirect_uris = ["{BACK}"]\n'
        (site.folder / "hub.toml").write_text(
            f'[service]\npublic_url = "{site.url}{PREFIX}"\n'
            f"[oauth.trusted]\nis_trusted = true\n{known}"
            f'[oauth.asking]\nlabel = "Elsewhere <b>"\n{known}'
            f'[oauth.lab]\nredirect_uris = ["{MINE}"]\nscopes = ["openid", "lockgate:write"]\n'
        )
        site.start()
        yield site


class Program:
    """A program that lets people in by the hub; `browser` is a member's."""

    def __init__(self, site: Site, client: str = "trusted", back: str = BACK, scope: str = "openid") -> None:
        self.site = site
        self.url = site.url + PREFIX
        self.client = client
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.asked: dict[str, str] = {
            "response_type": "code", "client_id": client, "redirect_uri": back, "scope": scope,
            "state": secrets.token_urlsafe(8), "nonce": "n-1", "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }  # fmt: skip

    def ask(self, browser: httpx.Client, **changed: str) -> httpx.Response:
        asked = {name: value for name, value in (self.asked | changed).items() if value}
        return browser.get(f"{self.url}/oauth/authorize?{urlencode(asked)}")

    def told(self, address: str) -> dict[str, str]:
        """Return what it was sent, after looking whether it is the answer to what it asked (RFC 9207)."""
        assert address.startswith(self.asked["redirect_uri"] + "?")
        told = dict(parse_qsl(urlsplit(address).query))
        assert told.pop("iss") == self.url
        assert told.pop("state") == self.asked["state"]
        return told

    def code(self, browser: httpx.Client) -> str:
        return self.told(self.ask(browser).headers["location"])["code"]

    def trade(self, code: str, auth: tuple[str, str] | None = None, **changed: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.asked["redirect_uri"],
            "code_verifier": self.verifier,
        }  # fmt: skip
        form = {name: value for name, value in (form | changed).items() if value}
        who = auth or (self.client, quote(SECRET, safe=""))
        return httpx.post(f"{self.url}/oauth/token", data=form, auth=who if "client_id" not in form else None)

    def person(self, token: str) -> httpx.Response:
        return httpx.get(f"{self.url}/oauth/userinfo", headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def browser(site: Site) -> Iterator[httpx.Client]:
    """Ada's, in which she is logged in."""
    with httpx.Client(headers=PAGE, trust_env=False, timeout=60) as made:
        page = made.get(f"{site.url}{PREFIX}/login").text
        form = {"name": "ada", "password": PASSWORD, "csrf": field(page, "csrf")}
        assert made.post(f"{site.url}{PREFIX}/login", data=form).status_code == 303
        yield made


@pytest.fixture
def stranger() -> Iterator[httpx.Client]:
    with httpx.Client(headers=PAGE, trust_env=False, timeout=60) as made:
        yield made


def field(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return found[1].replace("&amp;", "&")


def test_a_member_is_let_in_elsewhere(site: Site, browser: httpx.Client) -> None:
    program = Program(site, scope="openid profile email groups")
    described = httpx.get(f"{program.url}/.well-known/openid-configuration").json()
    assert described["issuer"] == program.url
    assert described["token_endpoint"] == f"{program.url}/oauth/token"
    answer = program.trade(program.code(browser))
    assert answer.status_code == 200 and "no-store" in answer.headers["cache-control"]
    got = answer.json()
    assert (got["token_type"], got["expires_in"]) == ("Bearer", 12 * 3600)
    told = program.person(got["access_token"]).json()
    assert told["preferred_username"] == "ada" and told["groups"] == ["flights", "flights:lead"]
    keys = KeySet.import_key_set(httpx.get(described["jwks_uri"]).json())
    claims = jwt.decode(got["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (program.url, "trusted", "n-1")
    assert claims["sub"] == told["sub"] and "d" not in httpx.get(described["jwks_uri"]).json()["keys"][0]
    # It asks who somebody is, and does nothing else here
    headers = {"authorization": f"Bearer {got['access_token']}"}
    assert httpx.get(f"{program.url}/api/v1/me", headers=headers).status_code == 401


def test_another_hub_takes_this_one_for_its_provider(site: Site, browser: httpx.Client) -> None:
    settings = OpenIdSettings(
        issuer=site.url + PREFIX, client_id="trusted", scopes=("openid", "profile", "groups")
    )
    other = OpenId(settings, SECRET)
    begun = other.begin(BACK)
    told = dict(parse_qsl(urlsplit(browser.get(begun.url).headers["location"]).query))
    login = other.finish(begun, told, BACK)
    other.close()
    ada = open_book(site.hub).require("ada")
    assert login.subject == f"{site.url}{PREFIX} {subject_of(ada)}"
    assert (login.wished_name, login.is_email_verified) == ("ada", False)


def test_who_is_not_logged_in_does_so_on_the_way(site: Site, stranger: httpx.Client) -> None:
    program = Program(site)
    with httpx.Client(headers=PAGE, trust_env=False, base_url=site.url, timeout=60) as browser:
        sent = program.ask(browser)
        assert sent.status_code == 303
        page = browser.get(sent.headers["location"]).text
        form = {name: field(page, name) for name in ("csrf", "next")}
        done = browser.post(f"{PREFIX}/login", data=form | {"name": "ada", "password": PASSWORD})
        # No redirect: the page's policy would hold for it
        assert done.status_code == 200
        back = browser.get(done.headers["refresh"].partition("url=")[2]).headers["location"]
        assert program.trade(program.told(back)["code"]).status_code == 200
    silent = program.ask(stranger, prompt="none")
    assert program.told(silent.headers["location"]) == {"error": "login_required"}


def test_a_program_that_is_not_trusted_is_asked_about(site: Site, browser: httpx.Client) -> None:
    program = Program(site, "asking", scope="openid groups")
    page = program.ask(browser)
    assert page.status_code == 200 and "Elsewhere &lt;b&gt; asks who you are" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    address = f"{program.url}/oauth/authorize"
    form = {name: field(page.text, name) for name in ("csrf", "asked")}
    for wrong in ({"csrf": ""}, {"csrf": "x" * 64}):
        assert browser.post(address, data=form | wrong | {"answer": "allow"}).status_code == 403
    other = {"origin": "https://evil.example"}
    assert browser.post(address, data=form | {"answer": "allow"}, headers=other).status_code == 403
    told = browser.post(address, data=form | {"answer": "deny"}).headers["refresh"].partition("url=")[2]
    assert program.told(told)["error"] == "access_denied"
    moved = form | {"asked": form["asked"].replace("jupyter.example.org", "evil.example"), "answer": "allow"}
    answer = browser.post(address, data=moved)
    assert answer.status_code == 400 and "refresh" not in answer.headers
    told = browser.post(address, data=form | {"answer": "allow"}).headers["refresh"].partition("url=")[2]
    assert program.trade(program.told(told)["code"]).status_code == 200
    silent = program.ask(browser, prompt="none").headers["location"]
    assert program.told(silent) == {"error": "consent_required"}


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "https://evil.example/"}, {"redirect_uri": BACK + "/.."}, {"redirect_uri": ""},
        {"client_id": "nobody"}, {"state": "x" * 3000},
    ],
)  # fmt: skip
def test_nobody_is_sent_to_a_wrong_place(
    site: Site, browser: httpx.Client, stranger: httpx.Client, changed: Mapping[str, str]
) -> None:
    for who in (browser, stranger):
        answer = Program(site).ask(who, **changed)
        assert answer.status_code == 400
        assert "location" not in answer.headers and "refresh" not in answer.headers
        assert "evil.example" not in answer.text


def test_a_wrong_request_is_told_to_the_program(site: Site, browser: httpx.Client) -> None:
    program = Program(site)
    for changed, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "openid lockgate:write"}, "invalid_scope"),
    ):
        assert program.told(program.ask(browser, **changed).headers["location"])["error"] == error
    lab = Program(site, "lab", MINE.replace("{member}", "ada"))
    address = lab.ask(browser, code_challenge="", code_challenge_method="").headers["location"]
    assert lab.told(address)["error"] == "invalid_request"


def test_a_code_is_of_no_use_to_anybody_else(site: Site, browser: httpx.Client) -> None:
    program = Program(site)
    for changed, auth in (
        ({"code_verifier": "v" * 43}, None),
        ({"code_verifier": ""}, None),
        ({"redirect_uri": BACK + "?"}, None),
        ({"redirect_uri": ""}, None),
        ({}, ("asking", quote(SECRET, safe=""))),
    ):
        code = program.code(browser)
        answer = program.trade(code, auth, **changed)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert program.trade(code).json()["error"] == "invalid_grant"
    # A challenge that somebody took off on the way
    bare = program.ask(browser, code_challenge="", code_challenge_method="").headers["location"]
    assert program.trade(program.told(bare)["code"]).json()["error"] == "invalid_grant"


def test_a_code_that_comes_again_ends_what_it_gave(site: Site, browser: httpx.Client) -> None:
    program = Program(site)
    code = program.code(browser)
    token = program.trade(code).json()["access_token"]
    assert program.person(token).status_code == 200
    assert program.trade(code).json()["error"] == "invalid_grant"
    answer = program.person(token)
    assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_client_shows_its_secret_in_the_request_not_in_its_address(
    site: Site, browser: httpx.Client
) -> None:
    program = Program(site)
    url = f"{program.url}/oauth/token"
    answer = httpx.post(url, data={"grant_type": "authorization_code"}, auth=("trusted", "wrong"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic")
    form = {"client_id": "trusted", "client_secret": SECRET}
    in_address = httpx.post(f"{url}?{urlencode(form)}", data={"code": program.code(browser)})
    assert in_address.json()["error"] == "invalid_client"
    assert program.trade(program.code(browser), None, **form).status_code == 200
    twice = urlencode([*form.items(), ("code", "a"), ("code", "b")])
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert httpx.post(url, content=twice, headers=kind).json()["error"] == "invalid_request"
    assert httpx.post(url, json=form).json()["error"] == "invalid_request"
    assert program.trade("", grant_type="password").json()["error"] == "unsupported_grant_type"
    token = program.trade(program.code(browser)).json()["access_token"]
    assert httpx.get(f"{program.url}/oauth/userinfo?access_token={token}").status_code == 401
    others = {"client_id": "asking", "client_secret": SECRET, "token": token}
    assert httpx.post(f"{program.url}/oauth/revoke", data=others).status_code == 200
    assert program.person(token).status_code == 200
    form |= {"token": token}
    assert httpx.post(f"{program.url}/oauth/revoke", data=form).status_code == 200
    assert program.person(token).status_code == 401


def test_a_token_is_good_at_another_worker_and_after_a_restart(site: Site, browser: httpx.Client) -> None:
    program = Program(site)
    code = program.code(browser)
    site.stop()
    site.start()
    with site.second() as other:
        here, program.url = program.url, other + PREFIX
        token = program.trade(code).json()["access_token"]
        program.url = here
    assert program.person(token).status_code == 200


def test_a_members_own_server_acts_for_them_and_the_chain_tells_it(
    site: Site, browser: httpx.Client, tmp_path: Path
) -> None:
    eve = Program(site, "lab", MINE.replace("{member}", "eve"), "openid lockgate:write")
    assert eve.ask(browser).status_code == 400
    program = Program(site, "lab", MINE.replace("{member}", "ada"), "openid lockgate:write")
    page = program.ask(browser)
    assert "It could act for you too" in page.text
    form = {name: field(page.text, name) for name in ("csrf", "asked")} | {"answer": "allow"}
    answer = browser.post(f"{program.url}/oauth/authorize", data=form)
    code = program.told(answer.headers["refresh"].partition("url=")[2])["code"]
    token = program.trade(code, client_id="lab").json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    me = httpx.get(f"{program.url}/api/v1/me", headers=headers).json()
    assert (me["name"], me["scope"]) == ("ada", "write")
    more = httpx.post(f"{program.url}/api/v1/tokens", json={"name": "more"}, headers=headers)
    assert more.status_code == 403
    address = site.git_url("flights", "ada", token).replace("/git/", f"{PREFIX}/git/")
    site.git(tmp_path, "clone", "--quiet", address, "clone")
    assert (tmp_path / "clone/count.py").exists()
    titles = [entry.title for entry in told_of(site)]
    assert "ada lets lab act for them (write)" in titles
    account = browser.get(f"{program.url}/account").text
    assert "Programs" in account
    ended = browser.post(f"{program.url}/account/programs/lab/end", data={"csrf": field(account, "csrf")})
    assert ended.status_code == 303
    assert httpx.get(f"{program.url}/api/v1/me", headers=headers).status_code == 401
    assert "ada no longer lets lab act for them (write)" in [entry.title for entry in told_of(site)]


def told_of(site: Site) -> list[Any]:
    repository = Repository(site.hub.repository("flights"))
    return [each for _, each in chain.read(repository.path)]


def test_who_is_taken_off_the_hub_is_nobody_elsewhere(site: Site) -> None:
    site.member("bob")
    program = Program(site)
    with httpx.Client(headers=PAGE, trust_env=False, timeout=60) as browser:
        page = browser.get(f"{program.url}/login").text
        form = {"name": "bob", "password": PASSWORD, "csrf": field(page, "csrf")}
        browser.post(f"{program.url}/login", data=form)
        token = program.trade(program.code(browser)).json()["access_token"]
        code = program.code(browser)
        remove(open_book(site.hub), OWNER, "bob")
        assert program.person(token).status_code == 401
        assert program.trade(code).json()["error"] == "invalid_grant"
        assert "/login?next=" in program.ask(browser).headers["location"]


def test_no_code_and_no_token_stand_in_the_log(site: Site, browser: httpx.Client) -> None:
    program = Program(site)
    code = program.code(browser)
    token = program.trade(code).json()["access_token"]
    program.person(token)
    log = site.log.read_text()
    assert '"action":"oauth.login"' in log.replace(" ", "")
    for secret in (code, token, SECRET, program.verifier, program.asked["state"]):
        assert secret not in log


def test_whoever_guesses_waits(site: Site) -> None:
    program = Program(site)
    # Each wait is longer than the one before: on a slow machine some are over when the next guess comes
    answers = [401]
    while answers[-1] == 401 and len(answers) < 100:
        answers.append(program.trade("code", ("trusted", secrets.token_urlsafe())).status_code)
    assert answers[-1] == 429, answers
