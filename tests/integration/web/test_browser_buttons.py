"""Each button pressed in a real browser by who may and by who may not; and services that restart."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from openid_provider import CLIENT, SECRET, provided
from playwright.sync_api import Browser, Page, expect
from served_hub import ServedHub
from web_browser import Seat, seat
from web_site import Site, served
from web_team import PASSWORD, make_team, push

from lockgate.hub.members.book import open_book

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6Xr1mXx4f5mCqk1mC1kq9vS4b7m1E4y9Qf0a5n2d3T bob@laptop"
SLOW = """\
import time
for step in range(600):
    print("step", step, flush=True)
    time.sleep(0.1)
"""


class Team:
    """The hub as `lockgate hub serve` serves it, and a work tree."""

    def __init__(self, site: Site, tree: Path, service: ServedHub) -> None:
        self.site, self.tree, self.service = site, tree, service
        self.url = service.url

    def push(self, message: str, *options: str, **files: str) -> str:
        self.site.git(self.tree, "pull", "-q", "--rebase", "hub", "main")
        push(self.site, self.tree, message, *options, **files)
        return self.site.runs()[0].request.id

    def settings(self, text: str) -> None:
        """Restart the service with other settings."""
        (self.site.folder / "hub.toml").write_text(text)
        self.service.restart()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with served(tmp_path_factory.mktemp("buttons")) as site:
        tree = make_team(site)
        options = ("--port", str(site.port))
        with ServedHub(site.folder, *options, env={"LOCKGATE_LINGER_S": "0.3"}) as service:
            yield Team(site, tree, service)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def unfold(page: Page, label: str) -> None:
    page.locator("summary").and_(page.get_by_label(label, exact=True).or_(page.get_by_text(label))).click()


def refused(one: Seat, path: str, **form: str) -> str:
    """Return what a page says when a form is sent that it does not show."""
    csrf = one.page.locator("input[name=csrf]").first.get_attribute("value") or ""
    answer = one.page.request.post(
        one.url + path, form={"csrf": csrf, **form}, headers={"accept": "text/html", "origin": one.url}
    )
    assert answer.status == 403
    return answer.text()


@pytest.mark.slow
def test_a_running_run_is_cancelled_after_a_question(team: Team, browser: Browser) -> None:
    count = (team.tree / "count.py").read_text()
    run = team.push("Count for a minute", count__py=SLOW + count)
    with seat(browser, team.url) as looker, seat(browser, team.url) as one:
        looker.log_in("vera", PASSWORD)
        page = looker.go(f"/p/flights/runs/{run}")
        expect(page.locator("pre.log")).to_contain_text("step 2", timeout=60_000)
        assert page.get_by_text("Cancel…").count() == 0
        assert "Ask a lead of the project" in refused(looker, f"/p/flights/runs/{run}/cancel")
        one.log_in("bob", PASSWORD)
        page = one.go(f"/p/flights/runs/{run}")
        unfold(page, "Cancel…")
        question = page.get_by_text("What runs now is ended")
        expect(question).to_be_visible()
        page.keyboard.press("Escape")
        expect(question).to_be_hidden()
        unfold(page, "Cancel…")
        assert one.violations() == []
        page.evaluate("document.body.dispatchEvent(new CustomEvent('lockgate:news'))")
        expect(question).to_be_visible()
        press(page, "Cancel the run")
        expect(page.locator("#run-head .badge.cancelled")).to_be_visible(timeout=60_000)
        expect(page.locator("#run-cause")).to_contain_text("bob")
        expect(looker.page.locator("#run-head .badge.cancelled")).to_be_visible()
        assert one.faults == []
    team.push("Count at once", "wait", count__py=count)


@pytest.mark.slow
def test_back_to_here_makes_the_branch_as_a_run_left_it(team: Team, browser: Browser) -> None:
    first = team.site.runs()[-1].request.id
    flights = (team.tree / "flights.csv").read_text()
    team.push("One flight more", "wait", flights__csv=flights + "UA,40\n")
    with seat(browser, team.url) as one:
        one.log_in("vera", PASSWORD)
        page = one.go(f"/p/flights/runs/{first}")
        assert page.get_by_text("Back, branch").count() == 0
        assert "Ask a lead" in refused(one, f"/p/flights/runs/{first}/back")
    with seat(browser, team.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.go(f"/p/flights/runs/{first}")
        page.get_by_text("Back, branch").click()
        press(page, "Back to here")
        page.wait_for_url(lambda url: first not in url)
        expect(page.locator("#run-head .badge.succeeded")).to_be_visible(timeout=60_000)
        assert "UA,40" not in one.go("/p/flights/files/flights.csv").locator("main").inner_text()
        page = one.go(f"/p/flights/runs/{first}")
        page.get_by_text("Back, branch").click()
        press(page, "Back to here")
        expect(page.locator("h1")).to_contain_text("there is nothing to change")
        page.get_by_role("link", name="Back").click()
        page.wait_for_url(f"**/runs/{first}")


@pytest.mark.slow
def test_a_backend_is_checked(team: Team, browser: Browser) -> None:
    with seat(browser, team.url) as one:
        one.log_in("vera", PASSWORD)
        page = one.go("/p/flights/settings")
        assert page.get_by_role("button", name="Check").count() == 0
        assert "Ask a lead" in refused(one, "/p/flights/settings/backends/local/check")
    with seat(browser, team.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.go("/p/flights/settings")
        page.get_by_role("button", name="Check local").click()
        expect(page.locator("h1")).to_have_text("Check of local", timeout=60_000)
        expect(page.locator("main .badge.ok").first).to_be_visible()
        assert one.violations() == []
        press(page, "Check again")
        expect(page.locator("main .badge.ok").first).to_be_visible(timeout=60_000)
        assert one.faults == []


def test_a_password_is_changed_and_other_browsers_are_out(team: Team, browser: Browser) -> None:
    new = "eleven herons on the towpath"

    def change(page: Page, old: str, again: str) -> None:
        page.fill("#old", old)
        page.fill("#new", new)
        page.fill("#again", again)
        press(page, "Change password")

    with seat(browser, team.url) as other, seat(browser, team.url) as one:
        other.log_in("vera", PASSWORD)
        one.log_in("vera", PASSWORD)
        page = one.go("/account")
        change(page, "not this one", new)
        expect(page.get_by_role("alert")).to_contain_text("the present password is not right")
        change(page, PASSWORD, "something else entirely")
        expect(page.get_by_role("alert")).to_contain_text("the two new passwords differ")
        change(page, PASSWORD, new)
        expect(page.get_by_role("status")).to_contain_text("Your password was changed.")
        other.go("/account").wait_for_url("**/login?next=**")
        other.page.fill("#name", "vera")
        other.page.fill("#password", PASSWORD)
        other.page.press("#password", "Enter")
        expect(other.page.get_by_role("alert")).to_contain_text("not right")
        other.page.fill("#password", new)
        other.page.press("#password", "Enter")
        other.page.wait_for_url("**/account")
    book = open_book(team.site.hub)
    digest = book.require("bob").password
    book.change("vera", lambda member: msgspec.structs.replace(member, password=digest))


def test_ssh_keys_come_and_go(team: Team, browser: Browser) -> None:
    with seat(browser, team.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.go("/account")
        page.fill("#keys", "ssh-rsa no-key-at-all")
        press(page, "Add key")
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator("#keys")).to_have_value("ssh-rsa no-key-at-all")
        page.fill("#keys", KEY)
        press(page, "Add key")
        expect(page.get_by_role("status")).to_be_visible()
        assert open_book(team.site.hub).require("bob").keys == (KEY,)
        unfold(page, "Remove the key bob@laptop")
        expect(page.get_by_text("stops working at once")).to_be_visible()
        assert one.violations() == []
        press(page, "Remove bob@laptop")
        expect(page.get_by_role("status")).to_be_visible()
        assert open_book(team.site.hub).require("bob").keys == ()


@pytest.mark.slow
def test_a_proposal_is_declined_with_a_reason(team: Team, browser: Browser) -> None:
    site, tree = team.site, team.tree
    for reason in ("not in this project", ""):
        site.git(tree, "pull", "-q", "--rebase", "hub", "main")
        text = (tree / "lockgate.toml").read_text()
        (tree / "lockgate.toml").write_text(
            text.replace("[stages.count]", "[params]\nlate = 9\n\n[stages.count]")
        )
        site.git(tree, "commit", "-qam", f"Late is nine ({reason})")
        with pytest.raises(AssertionError, match="proposal"):
            site.git(tree, "push", "hub", "HEAD:main", env={"LOCKGATE_MEMBER": "bob"})
        site.git(tree, "reset", "-q", "--hard", "HEAD~1")
        with seat(browser, team.url) as looker, seat(browser, team.url) as one:
            looker.log_in("vera", PASSWORD)
            page = looker.go("/p/flights/settings")
            page.get_by_role("link", name="Late is nine").click()
            expect(page.get_by_text("A lead decides: ada")).to_be_visible()
            path = page.url.removeprefix(team.url)
            assert "Ask a lead" in refused(looker, f"{path}/decline")
            one.log_in("ada" if reason else "bob", PASSWORD)
            page = one.go(path)
            unfold(page, "Decline…" if reason else "Take back…")
            assert one.violations() == []
            page.fill("#reason", reason)
            press(page, "Decline the proposal" if reason else "Take back the proposal")
            expect(page.get_by_role("status")).to_be_visible()
            assert page.get_by_role("link", name="Late is nine").count() == 0
            feed = one.go("/p/flights?kind=proposal").locator("#feed")
            expect(feed).to_contain_text(reason or "bob took back proposal")
            assert one.faults == []


def test_a_view_is_saved_used_and_deleted(team: Team, browser: Browser) -> None:
    with seat(browser, team.url) as looker, seat(browser, team.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.go("/p/flights/runs")
        page.locator("summary", has_text="Columns").click()
        page.uncheck("input[value='metrics.json:rows']")
        press(page, "Show these")
        page.wait_for_url("**column=**")
        expect(page.locator("thead")).to_contain_text("mean")
        expect(page.locator("thead")).not_to_contain_text("rows")
        page.fill("#filter", "mean > 1")
        page.press("#filter", "Enter")
        page.locator("summary", has_text="Views").click()
        page.fill("#view-name", "late & later")
        press(page, "Save view")
        page.wait_for_url("**filter=mean**")
        expect(page.get_by_role("status")).to_contain_text("The view was saved.")
        page.locator("summary", has_text="Views").click()
        page.fill("#view-name", "late & later")
        press(page, "Save view")
        expect(page.get_by_role("status")).to_contain_text("it replaces the one of yours")
        looker.log_in("vera", PASSWORD)
        seen = looker.go("/p/flights/runs")
        seen.locator("summary", has_text="Views").click()
        assert seen.get_by_role("button", name="Save view").count() == 0
        assert "Ask a lead" in refused(looker, "/p/flights/views", name="mine")
        seen.get_by_role("link", name="late & later").click()
        expect(seen.locator("#filter")).to_have_value("mean > 1")
        expect(seen.locator("thead")).not_to_contain_text("rows")
        page = one.go("/p/flights/runs")
        page.locator("summary", has_text="Views").click()
        unfold(page, "Delete the view late & later")
        assert one.violations() == []
        press(page, "Delete late & later")
        page.wait_for_url("**/runs")
        assert page.get_by_role("link", name="late & later").count() == 0
        assert one.faults == []


def test_the_table_is_taken_along_as_csv(team: Team, browser: Browser) -> None:
    with seat(browser, team.url) as one:
        one.log_in("vera", PASSWORD)
        page = one.go("/p/flights/runs?filter=state+%3D+succeeded&column=metrics.json:mean")
        count = page.locator("tbody tr").count()
        with page.expect_download() as waiting:
            page.get_by_role("link", name="CSV").click()
        assert waiting.value.suggested_filename == "flights-runs.csv"
        rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text())))
        assert len(rows) == count
        assert {row["state"] for row in rows} == {"succeeded"}
        assert all(float(row["metrics.json:mean"]) for row in rows)


@pytest.mark.slow
def test_what_is_chosen_and_typed_stays_while_news_come(team: Team, browser: Browser) -> None:
    run = team.site.runs()[0].request.id
    with seat(browser, team.url) as table, seat(browser, team.url) as feed:
        table.log_in("bob", PASSWORD)
        table.go("/p/flights/runs").check(f"#pick-{run}")
        feed.log_in("bob", PASSWORD)
        page = feed.go("/p/flights")
        entry = page.locator(".entry", has_text="Back, branch").first
        entry.get_by_text("Back, branch").click()
        entry.get_by_label("New branch").fill("half-typed")
        expect(page.locator("[data-live-dot].on")).to_be_visible()
        new = team.push("A note", "wait", notes__md=f"{time.time()}\n")
        expect(page.locator(f"a[href$='{new}']").first).to_be_visible(timeout=30_000)
        expect(page.get_by_label("New branch").locator("visible=true")).to_have_value("half-typed")
        expect(table.page.locator(f"#pick-{new}")).to_be_visible(timeout=30_000)
        expect(table.page.locator(f"#pick-{run}")).to_be_checked()
        assert table.faults == feed.faults == []


@pytest.mark.slow
def test_a_page_goes_on_by_itself_after_a_restart_and_after_an_outage(team: Team, browser: Browser) -> None:
    count = (team.tree / "count.py").read_text()
    slow = SLOW.replace("600", "200")
    pushing = threading.Thread(
        target=team.push, args=("Count while it restarts", "wait"), kwargs={"count__py": slow + count}
    )
    with seat(browser, team.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.go("/")
        pushing.start()
        page.locator("section:has(#alive) .run-line a").first.click(timeout=60_000)
        log = page.locator("pre.log")
        expect(log).to_contain_text("step 3", timeout=60_000)
        page.evaluate("window.isSamePage = true")
        team.service.restart()
        expect(page.locator("#run-head .badge.succeeded")).to_be_visible(timeout=60_000)
        assert page.evaluate("window.isSamePage")
        steps = [int(line.split()[1]) for line in log.inner_text().splitlines() if line.startswith("step ")]
        assert steps == sorted(set(steps))
        page = one.go("/p/flights")
        expect(page.locator("[data-live-dot].on")).to_be_visible()
        page.evaluate("window.isSamePage = true")
        page.route("**/events", lambda route: route.fulfill(status=502, body="no service"))
        team.service.restart()
        expect(page.locator("[data-live-dot]:not(.on)")).to_be_visible(timeout=15_000)
        page.unroute("**/events")
        expect(page.locator("[data-live-dot].on")).to_be_visible(timeout=30_000)
        pushing.join(60)
        new = team.push("Count at once", "wait", count__py=count)
        expect(page.locator(f"a[href$='{new}']").first).to_be_visible(timeout=30_000)
        assert page.evaluate("window.isSamePage")


def test_the_provider_has_a_button_where_there_is_one(team: Team, browser: Browser) -> None:
    with provided() as provider, seat(browser, team.url) as one:
        page = one.go("/login")
        assert page.get_by_role("link", name="The institute").count() == 0
        secret = team.site.folder / "openid.secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        table = f'issuer = "{provider.issuer}"\nclient_id = "{CLIENT}"\nlabel = "The institute"\n'
        team.settings(
            f'[service]\npublic_url = "{team.url}"\n[openid]\n{table}client_secret_file = "openid.secret"\n'
        )
        end = time.monotonic() + 30
        while one.go("/login?next=/p/flights/runs").get_by_role("link", name="The institute").count() == 0:
            assert time.monotonic() < end, "no button"  # the old worker answers on connections it has
        assert one.violations() == []
        page.get_by_role("link", name="The institute").click()
        page.wait_for_url("**/p/flights/runs")
        expect(page.get_by_role("link", name="Account of ada")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login")
        provider.person = {"sub": "2", "email": "eve@example.org", "email_verified": True}
        page.get_by_role("link", name="The institute").click()
        expect(page.locator("h1")).to_contain_text("no member of this hub")
        team.settings("")
