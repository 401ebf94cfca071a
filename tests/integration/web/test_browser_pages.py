"""Every page in a real browser: nothing against WCAG, nothing wider than a phone, nothing in the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from journals import AT, cell, write_journal
from playwright.sync_api import Browser, expect
from web_browser import NARROW, WIDE, seat
from web_site import Site, served
from web_team import PASSWORD, make_team, push


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("team")) as site:
        tree = make_team(site)
        site.git(tree, "pull", "-q", "--rebase", "hub", "main")
        broken = (tree / "count.py").read_text().replace("delay", "lateness")
        push(site, tree, "Count lateness", "wait", count__py=broken)
        failed = cell(2, AT + 5, code="late()", status="error", error="NameError: late")
        write_journal(site.hub, "flights", "bob", "lap", [cell(1, AT, text="4\n"), failed], tip(site))
        site.start()
        yield site


def tip(site: Site, ref: str = "refs/heads/main") -> str:
    return site.git(site.hub.repository("flights"), "rev-parse", ref).strip()


def paths(site: Site) -> list[str]:
    failed, good = (row for row in site.runs()[:2])
    run = f"/p/flights/runs/{good.request.id}"
    made = f"/p/flights/artifacts/{good.request.id}"
    cell_tip = tip(site, "refs/lockgate/journals/bob/lap")
    return [
        "/",
        "/p/flights",
        "/p/flights/runs",
        "/p/flights/runs?chart=metrics.json:mean",
        run,
        f"{run}/logs/count",
        f"/p/flights/runs/{failed.request.id}",
        f"/p/flights/compare?runs={good.request.id}",
        f"/p/flights/compare?runs={good.request.id}&runs={failed.request.id}",
        f"{made}/counts.csv",
        f"{made}/counts.png",
        f"/p/flights/commits/{good.result_commit}",
        f"/p/flights/cells/{cell_tip}",
        f"/p/flights/sittings/{cell_tip}",
        "/p/flights/data",
        "/p/flights/data/flights.csv",
        "/p/flights/files",
        "/p/flights/files/count.py",
        "/p/flights/settings",
        "/account",
        "/settings",
        "/trace",
        "/search",
        "/search?q=flights",
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("scheme", "width"), [("light", WIDE), ("dark", NARROW)])
def test_every_page_is_fit_for_everybody(team: Site, browser: Browser, scheme: str, width: int) -> None:
    with seat(browser, team.url, scheme, width) as one:
        one.go("/login")
        assert one.violations() == []
        one.log_in("ada", PASSWORD)
        for path in paths(team):
            page = one.go(path)
            assert one.violations() == [], path
            assert one.overflow() <= 0, path
            assert page.locator("h1").count() == 1, path
            assert page.title().endswith("· Lockgate"), path
        assert one.faults == []
        wrong = one.go("/p/nothing")
        assert "no project" in wrong.locator("h1").inner_text()
        assert one.violations() == []


def test_pages_are_light_in_bytes(team: Site) -> None:
    with team.client() as client:
        files = ("lockgate.css", "htmx.min.js", "live.js", "theme.js")
        sizes = {name: len(client.get(f"/static/{name}").content) for name in files}
    assert sum(sizes.values()) <= 150_000, sizes


def test_a_page_made_anew_keeps_the_place_of_who_walks_by_keyboard(team: Site, browser: Browser) -> None:
    with seat(browser, team.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.page
        page.locator("[data-live-dot].on").first.wait_for(state="attached")
        page.locator("#home a[href='/p/flights']").first.focus()
        page.evaluate("document.activeElement.dataset.old = '1'")
        page.evaluate("document.body.dispatchEvent(new CustomEvent('lockgate:news'))")
        expect(page.locator("#home [data-old]")).to_have_count(0)
        assert page.evaluate("document.activeElement.getAttribute('href')") == "/p/flights"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_the_way_from_home_to_a_log_is_walked_by_keyboard(team: Site, browser: Browser) -> None:
    with seat(browser, team.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.page
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Skip to content"
        page.keyboard.press("Enter")

        def walk_to(words: str) -> None:
            for _ in range(60):
                page.keyboard.press("Tab")
                focused = page.locator(":focus")
                label = focused.get_attribute("aria-label") or focused.inner_text()
                if label.startswith(words):
                    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                    inside = page.evaluate("document.activeElement.closest('svg') !== null")
                    assert inside or outline != "none"
                    page.keyboard.press("Enter")
                    return
            raise AssertionError(f"no way to {words} by keyboard")

        walk_to("flights")
        page.wait_for_url("**/p/flights")
        walk_to("Runs")
        page.wait_for_url("**/runs")
        walk_to(team.runs()[0].request.id[-8:])
        page.wait_for_url("**/runs/*")
        walk_to("count: failed")
        page.wait_for_url("**stage=count#log")
        assert "KeyError" in page.locator("pre.log").inner_text()


def test_everything_but_liveness_works_without_script(team: Site, browser: Browser) -> None:
    with seat(browser, team.url, has_script=False) as one:
        one.log_in("vera", PASSWORD)
        page = one.go("/p/flights/runs")
        page.fill("#filter", "state = failed")
        page.press("#filter", "Enter")
        page.wait_for_url("**filter=state**")
        assert page.locator("tbody tr").count() == 1
        run = team.runs()[1].request.id
        page = one.go(f"/p/flights/runs/{run}")
        page.select_option("#stage", "count")
        page.click("#log button")
        assert "counted 4 flights" in page.locator("pre.log").inner_text()
