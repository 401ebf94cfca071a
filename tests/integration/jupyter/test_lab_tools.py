"""A tool of the project beside Lab: offered by the launcher, confirmed once; marimo comes, and ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from e2e_place import ONE_STAGE, Place, until
from lab_server import served_lab
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TOOL = """
[tools.marimo]
command = "marimo run look.py --headless --no-token --host=127.0.0.1 --port={port} --base-url={base_url}"
title = "Look closer"
icon = "eye.svg"

[tools.studio]
command = "no-such-studio --www-port={port}"
"""
LOOK = """\
import marimo
app = marimo.App()

@app.cell
def _():
    f"six times seven is {6 * 7}"
    return
"""
EYE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4"/></svg>'


def running(folder: Path) -> list[psutil.Process]:
    """Return the processes of marimo in a project's folder."""
    found = []
    for each in psutil.process_iter(["cwd", "cmdline", "status"]):
        is_here = each.info["cwd"] == str(folder) and each.info["status"] != psutil.STATUS_ZOMBIE
        if is_here and "marimo" in " ".join(each.info["cmdline"] or ()):
            found.append(each)
    return found


def new_tab(page: Page, press: Callable[[], None]) -> Page:
    with page.context.expect_page() as opened:
        press()
    return opened.value


def test_marimo_is_offered_confirmed_and_opened(
    place: Place, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = {"lockgate.toml": ONE_STAGE + TOOL, "i": "1\n", "look.py": LOOK, "eye.svg": EYE}
    tree = place.project(files, name="flights")
    name = tree.path.name
    home = tmp_path_factory.mktemp("jupyter")

    with served_lab(place.root, home, place.env) as lab, lab.open(browser) as bench:
        page = bench.page
        card = page.locator(".jp-LauncherCard", has_text="Look closer")
        expect(page.locator(".jp-Launcher-section").first).to_be_visible()
        expect(card).to_have_count(0)
        page.locator(".jp-DirListing-item", has_text=name).dblclick()
        expect(card).to_be_visible()
        section = page.locator(".jp-Launcher-section", has=card)
        expect(section.locator("h2")).to_have_text("Tools")
        drawn = card.locator("image").get_attribute("href") or ""
        assert page.evaluate("where => fetch(where).then(answer => answer.text())", drawn) == EYE
        page.screenshot(path=home / "launcher.png")

        card.click()
        asking = page.locator(".jp-Dialog")
        expect(asking).to_contain_text("Start Look closer?")
        expect(asking.locator("pre")).to_have_text(re.compile("^marimo run look.py --headless .*base_url"))
        expect(asking).to_contain_text(f"From lockgate.toml, line 7, in {tree.path}")
        assert bench.seat.violations(".jp-Dialog") == []
        page.screenshot(path=home / "asking.png")
        page.keyboard.press("Enter")
        expect(asking).to_have_count(0)
        assert running(tree.path) == [] and not (home / "data/lockgate").exists()

        card.press("Enter")
        start = asking.get_by_role("button", name="Start")
        tool = new_tab(page, start.click)
        expect(tool.get_by_text("six times seven is 42").first).to_be_visible(timeout=60_000)
        assert f"/lockgate/tools/{name}/marimo/" in tool.url and running(tree.path) != []
        tool.screenshot(path=home / "marimo.png")
        tool.close()
        tool = new_tab(page, card.click)
        expect(tool.get_by_text("six times seven is 42").first).to_be_visible(timeout=60_000)
        tool.close()

        page.locator(".jp-LauncherCard", has_text="studio").click()
        tool = new_tab(page, start.click)
        expect(tool.get_by_text("tool-absent")).to_be_visible()
        tool.screenshot(path=home / "absent.png")
        tool.close()
        kept = list((home / "data/lockgate/tools").iterdir())
        assert [each.stat().st_mode & 0o777 for each in kept] == [0o600, 0o600]
        assert bench.seat.faults == []
    until(lambda: running(tree.path) == [], "marimo ends with the server")
