"""A team's day in a real browser: push while watching, fail and fix, compare, trace, invite, refuse."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import until
from journals import AT, cell, write_journal
from PIL import Image
from playwright.sync_api import Browser, expect
from web_browser import seat
from web_site import Site, served
from web_team import PASSWORD, make_team, push

from lockgate.git.worktree import snapshot

SLOW = """\
import time
for step in range(30):
    print(f"\\x1b[32mstep {step}\\x1b[0m", flush=True)
    time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Path]]:
    with served(tmp_path_factory.mktemp("stories")) as site:
        tree = make_team(site)
        site.start()
        yield site, tree


def fresh(site: Site, tree: Path) -> None:
    site.git(tree, "pull", "-q", "--rebase", "hub", "main")


@pytest.mark.slow
def test_a_push_is_seen_to_run_without_loading_the_page_again(
    team: tuple[Site, Path], browser: Browser
) -> None:
    site, tree = team
    fresh(site, tree)
    count = (tree / "count.py").read_text()
    with seat(browser, site.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.page
        expect(page.locator("[data-live-dot].on")).to_be_visible()
        page.evaluate("window.isSamePage = true")
        pushing = threading.Thread(
            target=push, args=(site, tree, "Count slowly"), kwargs={"count__py": SLOW + count}
        )
        pushing.start()
        line = page.locator("section:has(#alive) .badge.running")
        expect(line).to_be_visible(timeout=30_000)
        assert page.evaluate("window.isSamePage")
        page.locator("section:has(#alive) a").first.click()
        page.wait_for_url("**/runs/*")
        page.evaluate("window.isSamePage = true")
        expect(page.locator("pre.log")).to_contain_text("step 5", timeout=30_000)
        expect(page.locator("#run-head .badge.succeeded")).to_be_visible(timeout=60_000)
        expect(page.locator("#run-made img")).to_be_visible()
        expect(page.get_by_role("button", name="Run again")).to_be_visible()
        assert page.evaluate("window.isSamePage")
        assert one.faults == []
        pushing.join(60)
    fresh(site, tree)
    push(site, tree, "Count at once", "wait", count__py=count)


@pytest.mark.slow
def test_a_failed_run_says_why_and_the_mended_one_is_compared_with_it(
    team: tuple[Site, Path], browser: Browser
) -> None:
    site, tree = team
    fresh(site, tree)
    count = (tree / "count.py").read_text()
    push(site, tree, "Break it", "wait", count__py=count.replace('row["delay"]', 'row["lateness"]'))
    failed = site.runs()[0].request.id
    flights = (tree / "flights.csv").read_text()
    push(site, tree, "Mend it", "wait", count__py=count, flights__csv=flights + "UA,40\n")
    mended = site.runs()[0].request.id
    with seat(browser, site.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.go(f"/p/flights/runs/{failed}")
        expect(page.get_by_role("alert")).to_contain_text("KeyError: 'lateness'")
        expect(page.locator("pre.log")).to_contain_text("Traceback")
        page = one.go("/p/flights/runs")
        first = site.runs()[-1].request.id
        for run in (first, mended):
            page.check(f"#pick-{run}")
        page.get_by_role("button", name="Compare those chosen").click()
        page.wait_for_url("**/compare**")
        expect(page.locator("section:has(#metrics)")).to_contain_text("(+25.0%)")
        expect(page.locator("section:has(#figures)")).to_contain_text("differs")
        expect(page.locator(".diff .add")).to_contain_text("+UA,40")
        table = page.locator("section", has=page.get_by_role("heading", name="counts.csv"))
        expect(table).to_contain_text("1 changed, 0 added, 0 removed")
        expect(table.locator("td.changed")).to_have_text("1 2+1")
        assert one.faults == []


def test_a_picture_saved_again_is_traced_to_its_run(
    team: tuple[Site, Path], browser: Browser, tmp_path: Path
) -> None:
    site, tree = team
    fresh(site, tree)
    smaller = tmp_path / "slide.jpg"
    with Image.open(io.BytesIO((tree / "counts.png").read_bytes())) as picture:
        picture.convert("RGB").resize((180, 120)).save(smaller, quality=80)
    with seat(browser, site.url) as one:
        one.log_in("vera", PASSWORD)
        page = one.go("/trace")
        page.set_input_files("#file", str(tree / "counts.png"))
        expect(page.locator(".trace-hit").first).to_contain_text("exactly this")
        page.set_input_files("#file", str(smaller))
        expect(page.locator("#found")).to_have_text("slide.jpg")
        expect(page.locator(".trace-hit").first).to_contain_text("a likeness")
        page.locator(".trace-hit").first.get_by_role("link", name="run ").click()
        page.wait_for_url("**/p/flights/runs/*")
        assert one.faults == []


def test_a_lead_invites_and_who_may_not_is_refused(team: tuple[Site, Path], browser: Browser) -> None:
    site, _ = team
    run = site.runs()[0].request.id
    with seat(browser, site.url) as lead:
        lead.log_in("ada", PASSWORD)
        page = lead.go("/p/flights/settings")
        page.fill("#name", "nina")
        page.fill("#email", "nina@example.org")
        page.select_option("#role", "viewer")
        page.get_by_role("button", name="Invite").click()
        password = page.locator("code.secret").inner_text()
        assert lead.violations() == []
        with seat(browser, site.url) as new:
            new.log_in("nina", password)
            page = new.go(f"/p/flights/runs/{run}")
            assert page.get_by_role("button", name="Run again").count() == 0
            page = new.go("/p/flights/settings")
            assert page.get_by_role("button", name="Invite").count() == 0
            csrf = page.locator("input[name=csrf]").first.get_attribute("value")
            refused = page.request.post(
                f"{site.url}/p/flights/runs/{run}/again",
                form={"csrf": csrf or ""},
                headers={"accept": "text/html", "origin": site.url},
            )
            assert refused.status == 403
            assert "Ask a lead of the project" in refused.text()
            assert page.request.get(f"{site.url}/settings", headers={"accept": "text/html"}).status == 403
        lead.go("/p/flights/settings")
        lead.page.get_by_label("Remove nina from flights").click()
        lead.page.get_by_role("button", name="Remove nina", exact=True).click()
        lead.page.wait_for_url("**done=removed")
        expect(lead.page.locator("tr", has_text="nina")).to_have_count(0)


@pytest.mark.slow
def test_what_a_member_may_not_change_is_a_proposal_that_a_lead_accepts(
    team: tuple[Site, Path], browser: Browser
) -> None:
    site, tree = team
    fresh(site, tree)
    text = (
        (tree / "lockgate.toml")
        .read_text()
        .replace("[stages.count]", "[params]\nlate = 15\n\n[stages.count]")
    )
    (tree / "lockgate.toml").write_text(text)
    site.git(tree, "commit", "-qam", "A parameter for lateness")
    with pytest.raises(AssertionError, match="proposal"):
        site.git(tree, "push", "hub", "HEAD:main", env={"LOCKGATE_MEMBER": "bob"})
    with seat(browser, site.url) as lead:
        lead.log_in("ada", PASSWORD)
        page = lead.go("/p/flights/settings")
        page.get_by_role("link", name="A parameter for lateness").click()
        expect(page.locator(".diff .add").first).to_contain_text("[params]")
        assert lead.violations() == []
        page.get_by_role("button", name="Accept").click()
        page.wait_for_url("**/p/flights/**")
        assert "late = 15" in lead.go("/p/flights/files/lockgate.toml").locator("pre.code").inner_text()
        assert lead.faults == []


def test_a_token_is_shown_once_and_revoked(team: tuple[Site, Path], browser: Browser) -> None:
    site, _ = team
    with seat(browser, site.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.go("/account")
        page.fill("#token-name", "laptop")
        page.get_by_role("button", name="Make a token").click()
        secret = page.locator("#secret").inner_text()
        with site.client(headers={"authorization": f"Bearer {secret}"}) as client:
            assert client.get("/api/v1/me").json()["name"] == "bob"
            assert secret not in one.go("/account").content()
            one.page.locator("summary").and_(one.page.get_by_label("Revoke laptop")).click()
            one.page.get_by_role("button", name="Revoke laptop", exact=True).click()
            one.page.wait_for_url("**done=revoked")
            assert client.get("/api/v1/me").status_code == 401


@pytest.mark.slow
def test_branch_from_here_and_back_to_here(team: tuple[Site, Path], browser: Browser) -> None:
    site, tree = team
    first = site.runs()[-1].request.id
    with seat(browser, site.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.go(f"/p/flights/runs/{first}")
        page.locator("summary", has_text="Back, branch").click()
        page.fill("#branch-name", "from-the-first")
        page.get_by_role("button", name="Branch from here").click()
        page.wait_for_url("**/files?at=from-the-first")
        assert "from-the-first" in site.git(tree, "ls-remote", "hub")
        (tree / "tried.txt").write_text("by a cell")
        now = snapshot(tree, "The work tree as a cell ran")
        site.git(tree, "push", "--quiet", "hub", f"{now}:refs/notes/any")
        (tree / "tried.txt").unlink()
        (entry,) = write_journal(site.hub, "flights", "bob", "lap", [cell(1, AT)], now)
        until(lambda: one.go("/p/flights?kind=cell").locator(f"#cell-{entry}").count(), "the cell is told of")
        page = one.go(f"/p/flights/cells/{entry}")
        page.fill("#branch-name", "from-a-cell")
        page.get_by_role("button", name="Branch from here").click()
        page.wait_for_url("**/files?at=from-a-cell")
        expect(page.get_by_role("link", name="tried.txt")).to_be_visible()
        one.go(f"/p/flights/cells/{entry}").get_by_role("button", name="Back to here").click()
        page.wait_for_url("**/runs/*")
        expect(page.locator("#run-head .badge.succeeded")).to_be_visible(timeout=60_000)
        assert "by a cell" in site.git(
            tree, "-C", str(site.hub.repository("flights")), "show", "main:tried.txt"
        )
        page = one.go(f"/p/flights/runs/{first}")
        page.get_by_role("button", name="Run again").click()
        page.wait_for_url(lambda url: "/runs/" in url and first not in url)
        assert one.faults == []
