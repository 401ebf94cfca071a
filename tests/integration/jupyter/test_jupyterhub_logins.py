"""People log in to the hub by a real JupyterHub with logins of its own, as the page says, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyterhub_service import JupyterHub, block, free_port, jupyterhub
from playwright.sync_api import Browser, Page, expect
from web_browser import seat
from web_site import Site, served

from lockgate.hub.members.book import open_book
from lockgate.hub.members.changes import change, invite
from lockgate.hub.members.edits import Edit, edited
from lockgate.hub.members.values import OWNER, Member

pytestmark = pytest.mark.lab

TOKEN = "7e" * 32
_PASSWORD = "known to JupyterHub alone"
#: Its own logins, and PKCE of everybody who asks it.
_OWN = f"""
c = get_config()
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {_PASSWORD!r}
c.Authenticator.allow_all = True
c.Spawner.args = []
c.JupyterHub.oauth_require_pkce = True
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, JupyterHub]]:
    """The hub, served below JupyterHub's address, and JupyterHub."""
    root = tmp_path_factory.mktemp("hub")
    port = free_port()
    there = f"http://127.0.0.1:{port}"
    below = f"{there}/services/lockgate"
    with served(root) as site:
        site.project(has_run=False)
        (site.folder / "jupyterhub.token").write_text(TOKEN)
        (site.folder / "jupyterhub.token").chmod(0o600)
        text = block("hub-by-jupyterhub.toml").replace("https://hub.example.org", below)
        text = text.replace("https://jupyter.example.org", there)
        (site.folder / "hub.toml").write_text(
            text.replace("[service]\n", "[service]\nis_behind_proxy = true\n")
        )
        invite(open_book(site.hub), OWNER, Member(name="ada", roles={"flights": "lead"}))
        site.start()
        service = block("the_hub_asks_jupyterhub.py").replace("https://hub.example.org", below)
        service += f'c.JupyterHub.services[0].update(url="{site.url}", display=True)\n'
        with jupyterhub(root / "jupyter", port, _OWN + service, {"LOCKGATE_SERVICE_TOKEN": TOKEN}) as jupyter:
            yield site, jupyter


def log_in_there(page: Page, name: str) -> None:
    page.wait_for_url("**/hub/login**")
    page.fill("#username_input", name)
    page.fill("#password_input", _PASSWORD)
    page.press("#password_input", "Enter")


@pytest.mark.timeout(280)
def test_a_user_of_jupyterhub_is_in_by_one_click(
    both: tuple[Site, JupyterHub], browser: Browser, tmp_path: Path
) -> None:
    site, jupyter = both
    home = f"{jupyter.url}/services/lockgate"
    with seat(browser, home) as one:
        page = one.go("/p/flights")
        page.wait_for_url(f"{home}/login?next=**")
        assert one.violations() == []
        page.get_by_role("link", name="Log in with JupyterHub").click()
        log_in_there(page, "ada")
        page.wait_for_url(f"{home}/p/flights")
        expect(page.locator("h1")).to_have_text("Activity of flights")
        assert open_book(site.hub).require("ada").subject == f"{jupyter.url} ada"
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{home}/login")
        one.go("/p/flights").get_by_role("link", name="Log in with JupyterHub").click()
        page.wait_for_url(f"{home}/p/flights")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{home}/login")
        one.go("/login/jupyterhub?next=/p/flights/runs")  # the link that needs no click
        page.wait_for_url(f"{home}/p/flights/runs")
        assert one.faults == []
        book = open_book(site.hub)
        change(book, OWNER, "ada", lambda ada: edited(ada, Edit(is_active=False)))
        one.go("/p/flights").get_by_role("link", name="Log in with JupyterHub").click()
        expect(page.locator("h1")).to_have_text("Ada is no longer active on this hub")
        change(book, OWNER, "ada", lambda ada: edited(ada, Edit(is_active=True)))


@pytest.mark.timeout(120)
def test_a_user_who_is_no_member_is_told_what_to_do(both: tuple[Site, JupyterHub], browser: Browser) -> None:
    _, jupyter = both
    with seat(browser, f"{jupyter.url}/services/lockgate") as one:
        page = one.go("/login")
        page.get_by_role("link", name="Log in with JupyterHub").click()
        log_in_there(page, "eve")
        expect(page.locator("main")).to_contain_text("Ask a lead to invite you by your name there: eve")


def test_no_secret_of_theirs_is_logged(both: tuple[Site, JupyterHub]) -> None:
    site, jupyter = both
    for log in (site.log.read_text(), jupyter.log):
        assert TOKEN not in log
    assert '"way":"jupyterhub"' in site.log.read_text()
