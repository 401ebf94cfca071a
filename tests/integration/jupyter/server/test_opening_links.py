"""A link of the hub in a Jupyter server: it asks first, logs in by the hub, and clones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from tornado.httpclient import HTTPClientError, HTTPResponse
from web_site import PASSWORD, Site, served

from lockgate.activity import chain
from lockgate.errors import LockgateError, UserError
from lockgate.hub.reaching.credentials import credential_for
from lockgate.hub.worktree.cloning import clone
from lockgate.hub.worktree.code_login import begin, code_in, finish, is_let_in
from lockgate.hub.worktree.login import log_in_by_password, log_out

Fetch = Callable[..., Awaitable[HTTPResponse]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("opening")) as site:
        site.project(has_run=False)
        site.member("ada", "lead")
        (site.folder / "hub.toml").write_text(
            f'[service]\npublic_url = "{site.url}"\n[oauth.lab]\nscopes = ["lockgate:write"]\n'
            'is_trusted = true\nredirect_uris = ["http://127.0.0.1/a%40b/lockgate/answer"]\n'
        )
        site.start()
        yield site


@pytest.fixture
def jp_server_config(site: Site) -> dict[str, Any]:
    trust = {"hubs": [site.url], "oauth_client": "lab"}
    return {"ServerApp": {"jpserver_extensions": {"lockgate.jupyter": True}}, "Lockgate": trust}


async def refused(fetch: Fetch, *words: str, **more: Any) -> HTTPClientError:
    with pytest.raises(HTTPClientError) as caught:
        await fetch("lockgate", *words, follow_redirects=False, **more)
    return caught.value


async def test_a_link_asks_and_does_nothing_by_itself(jp_fetch: Fetch, jp_root_dir: Path, site: Site) -> None:
    answer = await jp_fetch("lockgate", "open", params={"hub": site.url, "project": "flights"})
    page = answer.body.decode()
    assert "Open flights here?" in page and 'name="_xsrf"' in page
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy and f"form-action 'self' {site.url}" in policy
    assert not (jp_root_dir / "flights").exists()
    for asked, code in (
        ({"hub": "https://evil.example", "project": "flights"}, "hub-untrusted"),
        ({"hub": site.url, "project": "../x"}, "project-name"),
        ({"hub": site.url, "project": "flights", "path": "../x"}, "path-outside"),
        ({}, "hub-url"),
    ):
        for more in ({"params": asked}, {"method": "POST", "body": urlencode(asked)}):
            error = await refused(jp_fetch, "open", **more)
            assert error.code == 400 and error.response is not None
            assert f"<code>{code}</code>" in error.response.body.decode()


async def test_nobody_opens_anything_from_another_page(
    jp_fetch: Fetch, http_server_client: Any, jp_base_url: str, jp_root_dir: Path, site: Site
) -> None:
    # Without the token of a program, the form has to bring back what its page was given
    body = urlencode({"hub": site.url, "project": "flights"})
    with pytest.raises(HTTPClientError) as caught:
        await http_server_client.fetch(f"{jp_base_url}lockgate/open", method="POST", body=body)
    assert caught.value.code in (302, 403)
    with pytest.raises(HTTPClientError) as caught:
        await http_server_client.fetch(f"{jp_base_url}lockgate/open?{body}", follow_redirects=False)
    assert caught.value.code == 302
    assert not (jp_root_dir / "flights").exists()


async def test_who_has_not_logged_in_does_so_at_the_hub(jp_fetch: Fetch, site: Site) -> None:
    body = urlencode({"hub": site.url, "project": "flights"})
    sent = await refused(jp_fetch, "open", method="POST", body=body)
    assert sent.code == 302 and sent.response is not None
    address = urlsplit(sent.response.headers["Location"])
    asked = parse_qs(address.query)
    assert f"{address.scheme}://{address.netloc}" == site.url
    assert asked["code_challenge_method"] == ["S256"] and asked["client_id"] == ["lab"]
    assert asked["redirect_uri"][0].endswith("/lockgate/answer")
    state = asked["state"][0]
    for told in (
        {"code": "c"},
        {"code": "c", "state": "another", "iss": site.url},
        {"code": "c", "state": state, "iss": "https://evil.example"},
        {"code": "c", "state": state, "iss": site.url},
    ):
        # The third took the login that was begun: a wrong answer spends it
        error = await refused(jp_fetch, "answer", params=told)
        assert error.code == 400 and error.response is not None
        assert "login-failed" in error.response.body.decode()
    assert credential_for(site.url) is None


async def test_a_login_at_the_hub_brings_the_project_and_ends_by_logout(
    jp_root_dir: Path, site: Site
) -> None:
    with site.client(headers={"accept": "text/html"}) as browser:
        page = browser.get("/login").text
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        browser.post("/login", data={"name": "ada", "password": PASSWORD, "csrf": csrf})
        begun = begin(site.url, "lab", "http://127.0.0.1/a%40b/lockgate/answer")
        told = dict(parse_qsl(urlsplit(browser.get(begun.url).headers["location"]).query))
    done = finish(begun, code_in(begun, told))
    assert done.member == "ada" and is_let_in(site.url)
    assert clone(site.url, "flights", jp_root_dir).is_new
    assert log_out(site.url).warnings == ()
    assert not is_let_in(site.url)
    titles = [entry.title for _, entry in chain.read(site.hub.repository("flights"), 1)]
    assert titles == ["ada no longer lets lab act for them (write)"]


async def test_a_project_comes_into_the_folder_and_then_what_is_new(
    jp_fetch: Fetch, jp_base_url: str, jp_root_dir: Path, site: Site
) -> None:
    log_in_by_password(site.url, "ada", PASSWORD, 1)
    body = urlencode({"hub": site.url, "project": "flights", "path": "count.py"})
    led = await refused(jp_fetch, "open", method="POST", body=body)
    assert led.response is not None
    assert led.response.headers["Location"] == f"{jp_base_url}lab/tree/flights/count.py"
    clone_here = jp_root_dir / "flights"
    assert (clone_here / ".git/hooks/pre-push").exists()
    assert '[merge "lockgate-notebook"]' in (clone_here / ".git/config").read_text()
    tree = site.root / "flights"
    (tree / "new.txt").write_text("new\n")
    site.git(tree, "add", ".")
    site.git(tree, "commit", "--quiet", "-m", "New")
    site.git(tree, "push", "-o", "skip", "hub", "main")
    (clone_here / "count.py").write_text("mine\n")
    body = urlencode({"hub": site.url, "project": "flights", "path": "there/is none"})
    led = await refused(jp_fetch, "open", method="POST", body=body)
    assert led.response is not None
    assert led.response.headers["Location"] == f"{jp_base_url}lab/tree/flights"
    assert (clone_here / "new.txt").exists() and (clone_here / "count.py").read_text() == "mine\n"


def test_what_else_has_the_name_stays(tmp_path: Path, site: Site) -> None:
    log_in_by_password(site.url, "ada", PASSWORD, 1)
    (tmp_path / "flights").mkdir()
    with pytest.raises(UserError) as caught:
        clone(site.url, "flights", tmp_path)
    assert caught.value.code == "folder-taken" and list((tmp_path / "flights").iterdir()) == []
    (tmp_path / "flights").rmdir()
    (tmp_path / "flights").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError):
        clone(site.url, "flights", tmp_path)
    (tmp_path / "flights").unlink()
    assert clone(site.url, "flights", tmp_path).is_new
    mine = tmp_path / "flights"
    site.git(mine, "commit", "--quiet", "--amend", "-m", "Another past")
    again = clone(site.url, "flights", tmp_path)
    assert (again.is_new, again.is_current) == (False, False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["flights"]


def test_what_the_hub_does_not_give_is_told_in_its_words_and_leaves_nothing(
    tmp_path: Path, site: Site
) -> None:
    def refusal(url: str, project: str) -> str:
        with pytest.raises(LockgateError) as caught:
            clone(url, project, tmp_path)
        assert list(tmp_path.iterdir()) == []
        return caught.value.code

    assert refusal("http://127.0.0.1:9", "flights") == "hub-unreachable"
    log_in_by_password(site.url, "ada", PASSWORD, 1)
    assert refusal(site.url, "nothing") == "project-unknown"
    log_out(site.url)
    assert refusal(site.url, "flights") == "login-needed"
