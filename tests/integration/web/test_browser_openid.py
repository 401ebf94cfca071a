"""Logging in by an institute's provider in a real browser: a certified one, not of our making."""

from __future__ import annotations

from pathlib import Path

from certified_provider import certified_provider
from playwright.sync_api import Browser
from web_browser import seat
from web_site import served

from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Member

CLIENT, SECRET = "lockgate-hub", "a secret: of + the client & 100 %"


def test_a_certified_provider_lets_in_who_consents_there(tmp_path: Path, browser: Browser) -> None:
    with served(tmp_path) as site:
        site.project(has_run=False)
        with certified_provider(CLIENT, SECRET, f"{site.url}/login/openid/answer") as issuer:
            secret = site.folder / "openid.secret"
            secret.write_text(SECRET)
            secret.chmod(0o600)
            (site.folder / "hub.toml").write_text(
                f'[service]\npublic_url = "{site.url}"\n'
                f'[openid]\nissuer = "{issuer}"\nclient_id = "{CLIENT}"\nlabel = "The institute"\n'
                'client_secret_file = "openid.secret"\n'
            )
            open_book(site.hub).add(Member(name="ada", email="ada@example.org", roles={"flights": "lead"}))
            site.start()
            with seat(browser, site.url) as one:
                page = one.go("/login?next=/p/flights")
                page.get_by_role("link", name="The institute").click()
                page.wait_for_url(f"{issuer}/interaction/*")
                page.locator("[name=login]").fill("ada")
                page.locator("[name=password]").fill("known there alone")
                page.get_by_role("button", name="Sign-in").click()
                page.get_by_role("button", name="Continue").click()
                page.wait_for_url(f"{site.url}/p/flights")
                assert page.locator("h1").inner_text() == "Activity of flights"
            assert open_book(site.hub).require("ada").subject == f"{issuer} ada"
            with seat(browser, site.url) as other:
                page = other.go("/login?next=/p/flights")
                page.get_by_role("link", name="The institute").click()
                page.locator("[name=login]").fill("eve")
                page.locator("[name=password]").fill("known there alone")
                page.get_by_role("button", name="Sign-in").click()
                page.get_by_role("button", name="Continue").click()
                page.wait_for_url(f"{site.url}/login**")
                assert "eve@example.org" in page.locator("main").inner_text()
