"""The panel of runs in a real JupyterLab: a run watched to its end, results, reasons, files, branches."""

from __future__ import annotations

import re

import pytest
from e2e_place import Place, WorkTree
from lab_notebook import notebook
from lab_server import Bench, Lab
from playwright.sync_api import Browser, Locator, expect

PIPELINE = """\
[stages.prepare]
run = "echo preparing; while [ ! -e {gate} ]; do sleep 0.05; done; printf 'n,m\\\\n1,a\\\\n2,b\\\\n' > t.csv"
needs = []
makes = ["t.csv"]

[stages.draw]
run = "python draw.py"
needs = ["draw.py", "t.csv"]
makes = ["figures/dot.png", "metrics.json"]
metrics = ["metrics.json"]
"""
#: A picture of 40 by 30 in one colour, by the standard library alone.
DRAW = """\
import os
import struct
import zlib
print("drawing \\x1b[31m<b>red</b>\\x1b[0m")
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\\0" + bytes([30, 120, 180] * 40) for _ in range(30))
head = struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)
os.makedirs("figures", exist_ok=True)
with open("figures/dot.png", "wb") as file:
    file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head))
    file.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
with open("metrics.json", "w") as file:
    file.write('{"score": 0.25}')
"""


@pytest.fixture
def tree(place: Place, request: pytest.FixtureRequest) -> WorkTree:
    name = str(request.node.name).removeprefix("test_").replace("_", "-")
    gate = place.root / f"{name}.gate"
    files = {
        "lockgate.toml": PIPELINE.replace("{gate}", str(gate)),
        "draw.py": DRAW,
        "n.ipynb": notebook("a = 1"),
    }
    return place.project(files | {".gitignore": ".ipynb_checkpoints/\n"}, name=name)


def panel(bench: Bench) -> Locator:
    """The panel, shown."""
    if not bench.page.locator("#lockgate-runs").is_visible():
        bench.page.locator(".lm-TabBar-tab[data-id='lockgate-runs']").click()
    return bench.page.locator("#lockgate-runs")


def press(bench: Bench) -> None:
    bench.run_button.locator(".lg-run-main").click()
    bench.page.get_by_role("alert").filter(has_text="is queued").wait_for()


def test_a_run_is_watched_to_its_end(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    name = tree.path.name
    with lab.open(browser, f"{name}/n.ipynb") as bench:
        bench.wait_for_state("would-run")
        runs = panel(bench)
        expect(runs).to_contain_text("Nothing was run yet")
        press(bench)
        runs.get_by_role("list", name="In the queue").get_by_role("button").click()
        expect(runs.locator(".lg-log-text")).to_contain_text("preparing")
        expect(runs.get_by_role("button", name="prepare: running")).to_be_visible()
        expect(runs.get_by_role("button", name=re.compile("draw: waiting"))).to_be_visible()
        assert bench.seat.violations("#lockgate-runs") == []
        (tree.place.root / f"{name}.gate").touch()
        expect(runs.locator(".lg-run-head .lg-state")).to_have_text("succeeded")
        expect(runs.locator(".lg-log-text")).to_have_text("drawing <b>red</b>\n")
        expect(runs.locator(".lg-ansi-f1")).to_have_text("<b>red</b>")
        expect(runs.get_by_role("row", name="score")).to_contain_text("0.25")
        runs.locator("summary", has_text="t.csv").click()
        expect(runs.get_by_role("row", name="2 b")).to_be_visible()
        picture = runs.locator(".lg-figure img")
        expect(picture).to_have_js_property("naturalWidth", 40)
        assert bench.seat.violations("#lockgate-runs") == []
        runs.locator(".lg-figure").click()
        expect(bench.page.locator(".lg-picture")).to_be_visible()
        runs.get_by_role("button", name="Open its inputs").click()
        bench.page.locator(".jp-DirListing-item", has_text="t.csv").wait_for()
        panel(bench).get_by_role("button", name="‹ All runs").click()
        expect(runs.get_by_role("list", name="Ended").get_by_role("button")).to_have_count(1)
        # Somebody else's run, from elsewhere
        tree.lockgate("run", "--force", "draw")
        expect(runs.get_by_role("list", name="Ended").get_by_role("button")).to_have_count(2)
        assert bench.seat.faults == []


def test_a_failed_run_says_why(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    name = tree.path.name
    (tree.place.root / f"{name}.gate").touch()
    tree.write({"draw.py": "raise SystemExit('the table is empty')\n"})
    with lab.open(browser, f"{name}/n.ipynb", "dark") as bench:
        bench.wait_for_state("would-run")
        runs = panel(bench)
        press(bench)
        ended = runs.get_by_role("list", name="Ended").get_by_role("button")
        expect(ended).to_contain_text("failed")
        ended.press("Enter")
        expect(runs.locator(".lg-run-head .lg-cause")).to_contain_text("draw")
        expect(runs.locator(".lg-log-text")).to_contain_text("the table is empty")
        assert bench.seat.violations("#lockgate-runs") == []
        runs.get_by_role("button", name="‹ All runs").press("Enter")
        expect(ended).to_be_focused()
        assert bench.seat.faults == []


def test_why_verify_and_history_of_a_figure(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    name = tree.path.name
    (tree.place.root / f"{name}.gate").touch()
    tree.lockgate("run")
    with lab.open(browser, f"{name}/n.ipynb") as bench:
        page = bench.page

        def choose(what: str) -> Locator:
            page.locator(".jp-DirListing-item", has_text="dot.png").click(button="right")
            page.get_by_role("menuitem", name=what).click()
            return page.get_by_role("dialog")

        page.locator(".jp-DirListing-item", has_text="figures").dblclick()
        dialog = choose("Why?")
        expect(dialog).to_contain_text("Made by stage draw")
        expect(dialog.locator(".lg-steps")).to_contain_text("draw.py")
        assert bench.seat.violations(".lg-dialog") == []
        dialog.get_by_role("button", name="Close").click()
        dialog = choose("History")
        expect(dialog.locator(".lg-happenings li").first).to_contain_text("run")
        assert bench.seat.violations(".lg-dialog") == []
        dialog.get_by_role("button", name="Close").click()
        dialog = choose("Verify")
        expect(dialog.locator(".lg-verdict")).to_contain_text("identical", timeout=60_000)
        for picture in (0, 1):
            expect(dialog.locator(".lg-pair img").nth(picture)).to_have_js_property("naturalWidth", 40)
        assert bench.seat.violations(".lg-dialog") == []
        dialog.get_by_role("button", name="Close").click()
        assert bench.seat.faults == []


def test_branches_are_begun_and_switched(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    name = tree.path.name
    first = tree.git("branch", "--show-current").out.strip()
    with lab.open(browser, f"{name}/n.ipynb") as bench:
        page = bench.page
        bench.wait_for_state("would-run")
        branch = page.locator(".lg-branch")
        expect(branch).to_have_text(first)
        branch.click()
        page.get_by_role("dialog").get_by_role("button", name="New…").click()
        page.get_by_role("dialog").get_by_role("textbox").fill("trial")
        page.keyboard.press("Enter")
        expect(branch).to_have_text("trial")
        bench.type_into_cell("\nb = 2")
        bench.page.keyboard.press("Control+s")
        tree_changed = page.locator(".jp-mod-dirty")
        expect(tree_changed).to_have_count(0)
        tree.commit(message="on trial")
        branch.click()
        dialog = page.get_by_role("dialog")
        assert bench.seat.violations(".lg-branches") == []
        dialog.get_by_label("Find a branch").fill(first)
        dialog.get_by_role("button", name="Switch").click()
        expect(branch).to_have_text(first)
        expect(page.locator(".jp-NotebookPanel .jp-Cell .cm-content").first).to_have_text("a = 1")
        # An edit that the other branch has otherwise stays, and is told of
        bench.type_into_cell("\nc = 3")
        branch.click()
        dialog.get_by_label("Find a branch").fill("trial")
        dialog.get_by_role("button", name="Switch").click()
        expect(page.get_by_role("dialog")).to_contain_text("n.ipynb")
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        assert "c = 3" in tree.read("n.ipynb")
        expect(branch).to_have_text(first)
        # The browser notes the refusal, which is one
        assert [fault for fault in bench.seat.faults if "400 (Bad Request)" not in fault] == []
