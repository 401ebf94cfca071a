"""JupyterHub lets people in by their account on the hub: a real one, as its page says, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest
from jupyterhub_service import JupyterHub, block, free_port, jupyterhub
from lab_notebook import notebook
from playwright.sync_api import Browser, expect
from web_browser import seat
from web_site import PASSWORD, PROJECT, Site, served

from lockgate.hub.members.book import open_book
from lockgate.hub.members.changes import remove
from lockgate.hub.members.values import OWNER

pytestmark = pytest.mark.lab

SECRET = "5f" * 32
#: As another program of JupyterHub's would ask it for its users.
_TOKEN = "ab" * 32
_SERVICE = f"""
c.JupyterHub.services += [{{"name": "of-tests", "api_token": "{_TOKEN}"}}]
_scopes = ["list:users", "read:users"]
c.JupyterHub.load_roles = [{{"name": "of-tests", "scopes": _scopes, "services": ["of-tests"]}}]
"""


class Both(NamedTuple):
    site: Site
    jupyter: JupyterHub

    def users(self) -> dict[str, list[str]]:
        """Return JupyterHub's users, each with their groups."""
        headers = {"authorization": f"token {_TOKEN}"}
        found = httpx.get(f"{self.jupyter.url}/hub/api/users", headers=headers).json()
        return {user["name"]: sorted(user["groups"]) for user in found}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    root = tmp_path_factory.mktemp("hub")
    port = free_port()
    with served(root) as site:
        site.project(files=PROJECT | {"look.ipynb": notebook("a = 1")}, has_run=False)
        site.member("ada", "lead")
        site.member("bob", "viewer")

        def placed(title: str) -> str:
            text = block(title).replace("https://jupyter.example.org", f"http://127.0.0.1:{port}")
            return text.replace("https://hub.example.org", site.url)

        secret = site.folder / "jupyterhub.secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        (site.folder / "hub.toml").write_text(placed("hub.toml"))
        site.start()
        below = f"http://127.0.0.1:{port}/services/lockgate"
        with site.second("--public-url", below) as second:
            service = block("the_hub_as_a_service.py").replace("http://127.0.0.1:8321", second)
            settings = placed("jupyterhub_config.py") + service + _SERVICE
            with jupyterhub(root / "jupyter", port, settings, {"OAUTH_CLIENT_SECRET": SECRET}) as jupyter:
                yield Both(site, jupyter)


@pytest.mark.timeout(280)
def test_a_member_logs_in_at_the_hub_and_works_in_lab(both: Both, browser: Browser) -> None:
    site, jupyter = both
    with seat(browser, jupyter.url) as one:
        page = one.go("/hub/login")
        page.get_by_text("Sign in with Lockgate").click()
        page.wait_for_url(f"{site.url}/login**")
        page.fill("#name", "ada")
        page.fill("#password", PASSWORD)
        page.press("#password", "Enter")
        page.wait_for_url(f"{jupyter.url}/user/ada/lab**", timeout=120_000)
        page.wait_for_selector("#jp-main-dock-panel", timeout=60_000)
        expect(page.locator(".jp-Launcher")).to_be_visible(timeout=30_000)
        assert both.users() == {"ada": ["flights", "flights:lead"]}


@pytest.mark.timeout(280)
def test_a_project_opens_in_the_members_own_server(both: Both, browser: Browser) -> None:
    site, jupyter = both
    with seat(browser, site.url) as one:
        one.log_in("ada", PASSWORD)
        page = one.go("/p/flights/files/look.ipynb")
        assert one.violations() == []
        page.get_by_role("link", name="Open in Jupyter").click()
        page.wait_for_url(f"{jupyter.url}/hub/login**")
        page.get_by_text("Sign in with Lockgate").click()
        page.wait_for_url(f"{jupyter.url}/user/ada/lockgate/open**", timeout=120_000)
        assert not (jupyter.homes / "ada/flights").exists()
        assert one.violations() == []
        page.get_by_role("button", name="Open").click()
        page.get_by_role("heading", name="Your Jupyter server asks").wait_for()
        assert one.violations() == []
        page.get_by_role("button", name="Allow", exact=True).click()
        page.wait_for_url(f"{jupyter.url}/user/ada/lab/**", timeout=60_000)
        page.wait_for_selector(".jp-NotebookPanel", timeout=60_000)
        page.wait_for_selector(".jp-StatusBar-TextItem:has-text('| Idle')", timeout=60_000)
        # Lab asks whether to be left: in another tab
        one.page = page.context.new_page()
        expect(one.go("/account").get_by_role("rowheader", name="Your Jupyter server")).to_be_visible()
        assert one.violations() == []
    here = jupyter.homes / "ada/flights"
    assert (here / ".git/hooks/pre-push").exists() and (here / "look.ipynb").exists()
    kept = jupyter.homes / "ada/.config/lockgate/hubs.json"
    assert kept.stat().st_mode & 0o077 == 0 and '"member": "ada"' in kept.read_text()


@pytest.mark.timeout(120)
def test_the_hub_is_a_service_of_jupyterhub(both: Both, browser: Browser) -> None:
    with seat(browser, f"{both.jupyter.url}/services/lockgate") as one:
        one.log_in("ada", PASSWORD)
        page = one.go("/p/flights")
        expect(page.locator("h1")).to_have_text("Activity of flights")
        assert one.faults == []


@pytest.mark.timeout(120)
def test_who_is_taken_off_the_hub_is_let_in_no_more(both: Both, browser: Browser) -> None:
    site, jupyter = both
    with seat(browser, jupyter.url) as one:
        one.url = site.url
        one.log_in("bob", PASSWORD)
        one.url = jupyter.url
        page = one.go("/hub/oauth_login?next=%2Fhub%2Fhome")
        page.wait_for_url(f"{jupyter.url}/hub/home")
        assert both.users()["bob"] == ["flights", "flights:viewer"]
        remove(open_book(site.hub), OWNER, "bob")
        page.wait_for_timeout(1100)  # the age that JupyterHub trusts a login for here
        page.goto(f"{jupyter.url}/hub/home")
        page.wait_for_url(f"{jupyter.url}/hub/login**")
        page.get_by_text("Sign in with Lockgate").click()
        page.wait_for_url(f"{site.url}/login**")


def test_an_answer_that_was_not_asked_for_is_refused_there(both: Both) -> None:
    _, jupyter = both
    for query in ("code=x&state=y", "code=x", f"code=x&state=y&iss={both.site.url}"):
        answer = httpx.get(f"{jupyter.url}/hub/oauth_callback?{query}")
        assert answer.status_code in (400, 403)


def test_nothing_secret_is_logged(both: Both) -> None:
    for log in (both.site.log.read_text(), both.jupyter.log):
        assert "lgo_" not in log
        assert SECRET not in log
