"""What checks found of a table: on its page, on the page of what a stage made, in the API."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect
from web_browser import NARROW, WIDE, seat
from web_site import Site, served
from web_team import PASSWORD, make_team, push

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RULES = """
[checks."flights.csv".columns]
delay = { type = "number", max = 100000, drift = 9 }

[checks."counts.csv".columns]
flights = { type = "integer" }
"""
FLIGHTS = "carrier,delay\nAA,3\nAA,8\nUA,1\nDL,12\n"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("checked")) as site:
        tree = make_team(site)

        def pushed(message: str, **files: str) -> None:
            site.git(tree, "pull", "-q", "--rebase", "hub", "main")
            push(site, tree, message, "wait", **files)

        pushed("Flights are checked", lockgate__toml=(tree / "lockgate.toml").read_text() + RULES)
        pushed("As before", flights__csv=FLIGHTS + "AA,4\nUA,9\n" * 20)
        later = FLIGHTS + "AA,7\nUA,30\n" * 20
        pushed("Later flights", flights__csv=later)
        pushed("Wrong rows", flights__csv=later + "DL,<b>soon\nDL,\nDL,\n")
        site.start()
        yield site


@pytest.mark.parametrize(("scheme", "width"), [("light", WIDE), ("dark", NARROW)])
def test_the_pages_tell_verdict_rows_and_drift(team: Site, browser: Browser, scheme: str, width: int) -> None:
    run = team.runs()[1].request.id
    with seat(browser, team.url, scheme, width) as one:
        one.log_in("vera", PASSWORD)
        page = one.go("/p/flights/data/flights.csv")
        card = page.locator("section[aria-labelledby=checks]")
        expect(card).to_contain_text("column delay: row 45: <b>soon is not a number; 1 more rule failed")
        expect(card.locator("[aria-label='Rules that failed']")).to_contain_text(
            "46: (nothing) · 47: (nothing)"
        )
        expect(card.locator("svg.chart .bar")).to_have_count(4)
        card.locator("summary").click()
        expect(card.locator("details li")).to_have_count(3)
        assert one.violations() == [] and one.overflow() <= 0
        page = one.go(f"/p/flights/artifacts/{run}/counts.csv")
        expect(page.locator("section[aria-labelledby=checks]")).to_contain_text("All rules held")
        assert one.violations() == [] and one.overflow() <= 0
        assert one.faults == []


def test_the_api_tells_the_same(team: Site) -> None:
    token = team.member("reader", "viewer", scope="read")
    with team.client(headers={"authorization": f"Bearer {token}"}) as client:
        found = client.get("/api/v1/projects/flights/dataset", params={"path": "flights.csv"}).json()[
            "checks"
        ]
    newest, accepted = found["newest"], found["accepted"]
    assert newest["state"] == "failed" and newest["run"] == team.runs()[0].request.id
    assert [(each["rule"], each["count"]) for each in newest["report"]["failures"]] == [
        ("type", 1),
        ("nullable", 2),
    ]
    assert newest["report"]["failures"][1]["first"][0] == {"row": 46, "value": "(nothing)"}
    assert [each["report"]["rows"] for each in accepted] == [44, 44, 4]
    assert accepted[0]["report"]["drift"]["delay"] > 0.25


def test_drift_is_accepted_by_its_owner_on_the_page_and_over_http(team: Site, browser: Browser) -> None:
    tree = team.root / "flights"
    team.git(tree, "pull", "-q", "--rebase", "hub", "main")
    tokens = {name: team.member(name, "member") for name in ("olga", "otto")}
    owned = (tree / "lockgate.toml").read_text().replace("drift = 9", "drift = true")
    owned = owned.replace('owner = "ada"', 'owner = "olga"')
    rows = FLIGHTS + "AA,700\nUA,3000\n" * 40
    push(team, tree, "Other flights", "wait", lockgate__toml=owned, flights__csv=rows)
    run = team.runs()[0].request.id
    asked = {"path": "flights.csv", "words": "a long strike", "name": "strike", "run": run}

    def answer(name: str, **changed: str) -> httpx.Response:
        with team.client(headers={"authorization": f"Bearer {tokens[name]}"}) as client:
            return client.post("/api/v1/projects/flights/acceptances", json=asked | changed)

    refused = answer("otto")
    assert refused.status_code == 403 and "as the catalogue names them" in refused.text
    assert answer("olga", words=" ").json()["error"]["code"] == "acceptance-invalid"
    assert answer("olga", run="0" * 26).json()["error"]["code"] == "run-unknown"
    with seat(browser, team.url, "light", WIDE) as one:
        one.log_in("vera", PASSWORD)
        page = one.go("/p/flights/data/flights.csv")
        expect(page.locator("section[aria-labelledby=checks]")).to_contain_text("has drifted")
        expect(page.get_by_role("button", name="Accept this version")).to_have_count(0)
        one.faults.clear()
    for scheme, width in (("light", WIDE), ("dark", NARROW)):
        with seat(browser, team.url, scheme, width) as one:
            one.log_in("ada", PASSWORD)
            page = one.go("/p/flights/data/flights.csv")
            expect(page.get_by_role("button", name="Accept this version")).to_have_count(1)
            assert one.violations() == [] and one.overflow() <= 0
            assert one.faults == []
    made = answer("olga")
    assert made.status_code == 201 and made.json()["by"] == "olga", made.text
    with seat(browser, team.url, "light", NARROW) as one:
        one.log_in("ada", PASSWORD)
        page = one.go("/p/flights/data/flights.csv")
        card = page.locator("section[aria-labelledby=checks]")
        expect(card).to_contain_text("a long strike")
        expect(card).to_contain_text("as strike by olga")
        expect(page.get_by_role("button", name="Accept this version")).to_have_count(0)
        assert one.violations() == [] and one.overflow() <= 0
