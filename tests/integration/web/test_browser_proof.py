"""The block Proof of a run's page, and badges: by who may see them, in a real browser."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser
from web_browser import NARROW, WIDE, seat
from web_site import Site, served
from web_team import PASSWORD, make_team, push

from lockgate.verify.passport import read_passport, without_passport

#: Bars and counts that are others each time, so that everything below differs too.
_UNSTEADY = """\
import csv, json, random

rows = [("carrier", "flights"), ("AA", 2), ("DL", random.randint(3, 4000) / 1000), ("UA", 1)]
rows[2] = ("DL", random.choice([3, 4, 5, 6]) + random.random())
with open("counts.csv", "w") as file:
    csv.writer(file).writerows(rows)
json.dump({"rows": 4, "mean": 6.0}, open("metrics.json", "w"))
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("proof")) as site:
        tree = make_team(site)
        site.git(tree, "pull", "-q", "--rebase", "hub", "main")
        drawing = (tree / "draw.py").read_text().replace('int(row["flights"])', 'float(row["flights"])')
        drawing = drawing.replace("* 20", "* 15")
        push(site, tree, "Count unsteadily", "wait", count__py=_UNSTEADY, draw__py=drawing)
        words = [
            "lockgate",
            "verify",
            "latest",
            "--no-cause",
            "--hub",
            str(site.folder),
            "--project",
            "flights",
        ]
        assert subprocess.run(words, cwd=tree, env=site.env, check=False, timeout=110).returncode == 1
        site.start()
        yield site


def verified(site: Site) -> tuple[str, str]:
    """Return the verified run, and the first that verified it."""
    found = next(row.request for row in reversed(site.runs()) if row.request.proof is not None)
    assert found.proof is not None
    return found.proof.run, found.id


@pytest.mark.parametrize(("scheme", "width"), [("light", WIDE), ("dark", NARROW)])
def test_the_run_page_tells_where_it_differs_and_shows_it(
    team: Site, browser: Browser, scheme: str, width: int
) -> None:
    run, by = verified(team)
    with seat(browser, team.url, scheme, width) as one:
        one.log_in("bob", PASSWORD)
        for asked in (run, by):
            page = one.go(f"/p/flights/runs/{asked}")
            block = page.locator("#run-proof")
            assert "differs" in block.locator("header .badge").inner_text()
            assert block.locator("tbody th", has_text="counts.png").count() == 1
            pictures = block.locator(".side img")
            assert pictures.count() == 3
            for at in range(3):
                pictures.nth(at).scroll_into_view_if_needed()
                pictures.nth(at).evaluate("picture => picture.decode()")
            assert "made again" in block.inner_text()
            block.locator("summary", has_text="A badge").click()
            assert one.violations() == []
            assert one.overflow() <= 0
        assert one.faults == []
        assert page.locator("main form[action$='/verify']").count() == 0


def test_a_run_is_verified_by_a_button(team: Site, browser: Browser) -> None:
    run, _ = verified(team)
    with seat(browser, team.url) as one:
        one.log_in("bob", PASSWORD)
        page = one.go(f"/p/flights/runs/{run}")
        page.get_by_role("button", name="Verify", exact=True).click()
        page.wait_for_url(re.compile(f"/runs/(?!{run})"))
        assert "verification of" in page.locator("#run-head").inner_text()
        page.locator("#run-proof header .badge").wait_for(timeout=60_000)


def test_the_difference_is_marked_where_the_pictures_differ(team: Site) -> None:
    _, by = verified(team)
    with team.client(auth=("bob", PASSWORD)) as client:
        answer = client.get(f"/p/flights/runs/{by}/difference/counts.png")
        assert answer.status_code == 200, answer.text
        with Image.open(io.BytesIO(answer.content)) as drawn:
            assert drawn.size == (240, 160)
            colours = {colour for _, colour in drawn.getcolors(100_000) or []}
        assert (190, 24, 93) in colours
        assert client.get(f"/p/flights/runs/{by}/difference/counts.csv").status_code == 400
        assert client.get(f"/p/flights/runs/{by}/difference/nothing.png").status_code == 404


def test_a_badge_is_seen_by_its_key_or_by_a_login_and_by_nobody_else(team: Site) -> None:
    run, _ = verified(team)
    with team.client(auth=("bob", PASSWORD)) as client:
        page = client.get(f"/p/flights/runs/{run}").text
        own = client.get(f"/p/flights/runs/{run}/badge.svg")
    assert own.status_code == 200
    assert own.headers["cache-control"] == "private, no-cache"
    with team.client(auth=("vera", PASSWORD)) as client:
        assert "badge.svg" not in client.get(f"/p/flights/runs/{run}").text
    (address,) = set(re.findall(r"\[!\[proof\]\((\S+?/p/flights/badge\.svg\?key=[0-9a-f]{32})\)", page))
    for each in (address, address.replace("flights/badge", f"flights/runs/{run}/badge")):
        answer = httpx.get(each)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert "differs" in answer.text and "flights" not in answer.text
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "public" in answer.headers["cache-control"]
        again = httpx.get(each, headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304 and not again.content
    other = "0" * 32
    for wrong in (address.partition("?")[0], address[:-32] + other, address.replace("flights", "nothing")):
        assert httpx.get(wrong).status_code == 404, wrong


def test_a_lead_renews_the_key_of_badges_and_the_old_one_opens_nothing(team: Site, browser: Browser) -> None:
    run, _ = verified(team)

    def address() -> str:
        with team.client(auth=("bob", PASSWORD)) as client:
            page = client.get(f"/p/flights/runs/{run}").text
        found: list[str] = re.findall(r"\((\S+?/p/flights/badge\.svg\?key=[0-9a-f]{32})\)", page)
        return found[0]

    old = address()
    assert httpx.get(old).status_code == 200
    with seat(browser, team.url) as one:
        one.log_in("bob", PASSWORD)
        assert one.go("/p/flights/settings").get_by_role("heading", name="Badges").count() == 0
    with team.client(auth=("bob", PASSWORD)) as client:
        text = client.get(f"/p/flights/runs/{run}").text
        csrf = re.findall(r'name="csrf" value="([^"]+)"', text)[0]
        assert client.post("/p/flights/settings/badges", data={"csrf": csrf}).status_code == 403
    assert httpx.get(old).status_code == 200
    with seat(browser, team.url) as one:
        one.log_in("ada", PASSWORD)
        page = one.go("/p/flights/settings")
        page.get_by_text("Renew their key").click()
        assert one.violations() == []
        page.get_by_role("button", name="Renew the key").click()
        page.get_by_text("The badges have a new key").wait_for()
    chain = team.folder / "repositories/flights.git"
    assert "renewed" in team.git(chain, "log", "-1", "--format=%B", "refs/lockgate/activity")
    assert httpx.get(old).status_code == 404
    new = address()
    assert new != old
    assert httpx.get(new).status_code == 200

    (team.folder / "badges" / "flights").write_bytes(b"\xff")
    assert [httpx.get(each).status_code for each in (old, new)] == [404, 404]
    with team.client(auth=("bob", PASSWORD)) as client:
        answer = client.get(f"/p/flights/runs/{run}")
        assert answer.status_code == 200
        assert "badge.svg" not in answer.text


def test_figures_leave_the_hub_with_a_passport_where_the_project_asks_for_it(team: Site) -> None:
    run, _ = verified(team)
    path = f"/p/flights/artifacts/{run}/counts.png"
    with team.client(auth=("ada", PASSWORD)) as client:
        plain = client.get(path, params={"save": True}).content
        assert read_passport(plain) is None
        tree = team.root / "flights"
        team.git(tree, "pull", "-q", "--rebase", "hub", "main")
        manifest = (tree / "lockgate.toml").read_text()
        asked = manifest.replace('name = "flights"', 'name = "flights"\npassport = true')
        push(team, tree, "Figures carry their run", "skip", lockgate__toml=asked)
        copy = client.get(path, params={"save": True}).content
        said = read_passport(copy)
        assert said is not None and (said.run, said.path) == (run, "counts.png")
        assert without_passport(copy) == plain
        api = f"/api/v1/projects/flights/runs/{run}/artifacts/counts.png"
        assert client.get(api).content == plain
        assert client.get(api, params={"download": True}).content == copy
        page = client.get("/trace").text
        (token,) = set(re.findall(r'name="csrf" value="([^"]+)"', page))
        found = client.post("/trace/file", data={"csrf": token}, files={"file": ("copy.png", copy)})
        assert "exactly this, with its passport" in found.text
