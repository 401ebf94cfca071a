"""Sessions in a browser's terms: cookies, forms, what other sites' pages cannot do."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from web_site import PASSWORD, Site, served

from lockgate.hub.search.attempts import FREE, Attempts
from lockgate.hub.search.database import open_database
from lockgate.web.doorman import LONGEST_ACCOUNT_S, LONGEST_ADDRESS_S

PAGE = {"accept": "text/html"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("login")) as site:
        site.project(has_run=False)
        site.member("max")
        site.member("vera", "viewer")
        site.start()
        yield site


@pytest.fixture
def browser(hub: Site) -> Iterator[httpx.Client]:
    with hub.client(headers=PAGE) as client:
        yield client


def token_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def log_in(
    browser: httpx.Client, name: str = "max", password: str = PASSWORD, to: str = "/", cookie: str = ""
) -> httpx.Response:
    csrf = token_in(browser.get("/login").text)
    form = {"name": name, "password": password, "csrf": csrf, "next": to}
    visit = f"lockgate_visit={browser.cookies['lockgate_visit']}"
    headers = {"cookie": f"{visit}; lockgate_session={cookie}"} if cookie else {}
    return browser.post("/login", data=form, headers=headers)


def test_a_page_leads_to_the_login_and_back(browser: httpx.Client) -> None:
    sent = browser.get("/p/flights/files?x=1&y=2")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/login?next=%2Fp%2Fflights%2Ffiles%3Fx%3D1%26y%3D2"
    asked = browser.get(sent.headers["location"])
    assert "/p/flights/files?x=1&amp;y=2" in asked.text
    done = log_in(browser, to="/p/flights/files?x=1&y=2")
    assert (done.status_code, done.headers["location"]) == (303, "/p/flights/files?x=1&y=2")
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "/a\nb",
        "\\\\e",
    ],
)
def test_a_login_leads_to_no_other_site(browser: httpx.Client, path: str) -> None:
    assert log_in(browser, to=path).headers["location"] == "/"


def test_each_login_has_a_session_of_its_own_and_ends_the_one_before(browser: httpx.Client) -> None:
    chosen = "chosen-by-somebody-else"
    answer = log_in(browser, cookie=chosen)
    first = re.findall("lockgate_session=([^;]+)", answer.headers["set-cookie"])[0]
    assert first != chosen
    home = browser.get("/")
    csrf = token_in(home.text)
    log_out = browser.post("/logout", data={"csrf": csrf})
    assert log_out.status_code == 303
    assert browser.get("/", headers={"cookie": f"lockgate_session={first}"}).status_code == 303


def test_what_another_sites_page_sends_is_refused(browser: httpx.Client) -> None:
    log_in(browser)
    csrf = token_in(browser.get("/").text)
    body = {"name": "stolen", "scope": "write"}
    path = "/api/v1/tokens"
    assert browser.post(path, json=body).json()["error"]["code"] == "cross-site"
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-csrf-token": "wrong"},
    ):
        given = {"x-csrf-token": csrf} | headers
        assert browser.post(path, json=body, headers=given).status_code == 403, headers
    assert browser.post("/logout").status_code == 403
    assert browser.post("/logout", data={"csrf": "x"}).status_code == 403
    mine = {"origin": str(browser.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
    assert browser.post(path, json=body, headers=mine | {"x-csrf-token": csrf}).status_code == 201


def test_a_login_form_of_another_site_is_refused_too(browser: httpx.Client) -> None:
    form = {"name": "max", "password": PASSWORD}
    assert browser.post("/login", data=form).status_code == 403


def test_another_sites_page_cannot_use_a_remembered_password(hub: Site) -> None:
    with hub.client(auth=("max", PASSWORD)) as client:
        body = {"name": "stolen", "scope": "write"}
        headers = {"origin": "https://evil.example", "content-type": "text/plain"}
        assert client.post("/api/v1/tokens", json=body, headers=headers).status_code == 403


def test_wrong_is_told_without_saying_what(browser: httpx.Client) -> None:
    known = log_in(browser, "vera", "wrong")
    unknown = log_in(browser, "nobody", "wrong")
    assert known.status_code == unknown.status_code == 401
    assert "not right" in known.text
    hide = r'value="[^"]*"'
    assert re.sub(hide, "", known.text) == re.sub(hide, "", unknown.text)


def test_a_session_ends_when_its_member_may_no_more(hub: Site, browser: httpx.Client) -> None:
    from msgspec.structs import replace

    from lockgate.hub.members.book import open_book

    hub.member("tom")
    log_in(browser, "tom")
    assert browser.get("/api/v1/me").json()["name"] == "tom"
    open_book(hub.hub).change("tom", lambda member: replace(member, is_active=False))
    assert browser.get("/api/v1/me").status_code == 401


def test_a_new_password_ends_sessions_and_is_an_activity_whichever_way_it_came(
    hub: Site, browser: httpx.Client
) -> None:
    hub.member("ned")
    log_in(browser, "ned")
    assert browser.get("/api/v1/me").json()["name"] == "ned"
    new = "nine eels in the millpond"
    words = ["hub", "member", "change", "ned", "--password-stdin", "--hub", str(hub.folder)]
    done = subprocess.run(
        [sys.executable, "-m", "lockgate", *words], input=new.encode(), env=hub.env, check=True, timeout=60
    )
    assert done.returncode == 0
    assert browser.get("/api/v1/me").status_code == 401
    said = hub.git(hub.hub.repository("flights"), "log", "-1", "--format=%s", "refs/lockgate/activity")
    assert "changed of ned: password" in said
    log_in(browser, "ned", new)
    assert browser.get("/api/v1/me").json()["name"] == "ned"


def test_two_workers_count_wrong_passwords_together(hub: Site) -> None:
    def guess(url: str) -> int:
        with httpx.Client(base_url=url, auth=("zoe", "wrong"), timeout=60, trust_env=False) as client:
            return client.get("/api/v1/me").status_code

    hub.member("zoe")
    database = open_database(hub.hub)
    attempts = Attempts(database, "account", LONGEST_ACCOUNT_S)
    for number in range(FREE + 7):
        attempts.begin("zoe", time.time() - (FREE + 7 - number) * LONGEST_ACCOUNT_S)
    with hub.second() as url:
        assert [guess(hub.url), guess(url), guess(hub.url)] == [401, 429, 429]
        attempts.succeeded("zoe")
        assert [guess(url), guess(hub.url)] == [401, 401]
    Attempts(database, "address", LONGEST_ADDRESS_S).succeeded("127.0.0.1")
    database.close()


def test_names_in_a_login_do_no_harm(browser: httpx.Client) -> None:
    for name in ("<script>alert(1)</script>", "../../hub", "a\0b", "x" * 100_000, "é" * 50):
        answer = log_in(browser, name)
        assert answer.status_code in (401, 429)
        assert "<script>alert" not in answer.text
