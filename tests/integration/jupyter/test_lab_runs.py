"""The panel of runs in a real JupyterLab: a run watched to its end, results, reasons, files, branches."""

from __future__ import annotations

import re

import pytest
from e2e_place import Place, WorkTree
from lab_notebook import notebook
from lab_server import Bench, Lab
from playwright.sync_api import Browser, Locator, expect

pytestmark = pytest.mark.lab

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


def test_a_notebook_stage_is_opened_compared_run_again_and_cancelled(
    lab: Lab, browser: Browser, place: Place
) -> None:
    gate = place.root / "again.gate"
    gate.touch()
    stages = (
        '[stages.look]\nnotebook = "look.ipynb"\nneeds = ["n.txt"]\nmakes = ["seen.txt"]\n'
        f'[stages.wait]\nrun = "while [ ! -e {gate} ]; do sleep 0.05; done; cp seen.txt waited"\n'
        'needs = ["seen.txt"]\nmakes = ["waited"]\n'
    )
    cell = "text = open('n.txt').read(); open('seen.txt', 'w').write(text); print('seen', text)"
    tree = place.project(
        {"lockgate.toml": stages, "n.txt": "one", "look.ipynb": notebook(cell)}, name="again"
    )
    tree.lockgate("run")
    tree.write({"n.txt": "two"})
    with lab.open(browser, "again/look.ipynb", "dark") as bench:
        page, runs = bench.page, panel(bench)

        def stage(name: str) -> Locator:
            return runs.get_by_role("list", name="Stages").get_by_role("button", name=name, exact=True)

        runs.get_by_role("list", name="Ended").get_by_role("button").click()
        stage("look").click()
        assert bench.seat.violations("#lockgate-runs") == []
        # Exactly its inputs: not what the file holds by now
        runs.get_by_role("button", name="Open notebook with its inputs").click()
        opened = page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab.lm-mod-current", has_text="look.ipynb")
        expect(opened).to_have_attribute("title", re.compile(r"lockgate\.open/\w+-look/look\.ipynb"))
        (laid,) = tree.path.glob("lockgate.open/*/n.txt")
        assert laid.read_text() == "one"
        # Beside mine, with the changes
        runs = panel(bench)
        runs.get_by_role("button", name="Executed copy beside mine").click()
        changes = page.get_by_role("region", name="Changes by cells")
        page.locator(".lm-TabBar-tab", has_text="Changes in").wait_for()
        expect(page.locator(".jp-NotebookPanel:visible .jp-OutputArea", has_text="seen one")).to_be_visible()
        page.locator(".lm-TabBar-tab", has_text="Changes in").click()
        expect(changes.locator(".lg-line-add", has_text="seen one").first).to_be_visible()
        assert bench.seat.violations(".lg-changes") == []
        page.screenshot(path=lab.root / "beside-dark.png")
        # A right-click on a tab is about that tab's file, not the one in front
        tab = page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=re.compile("^look.ipynb$")).first
        tab.click(button="right")
        page.get_by_role("menuitem", name="History").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("History of again/look.ipynb")
        expect(dialog.locator(".lg-happenings li").last).to_contain_text("first")
        dialog.get_by_role("button", name="Close").click()
        tab.click(button="right")
        page.get_by_role("menuitem", name="Why?").click()
        expect(dialog).to_contain_text("look.ipynb")
        dialog.get_by_role("button", name="Close").click()
        # Again: all of it, though its results are known
        gate.unlink()
        runs.get_by_role("button", name="Run again").click()
        page.get_by_role("alert").filter(has_text="is queued").wait_for()
        expect(runs.get_by_role("button", name=re.compile("wait: running"))).to_be_visible(timeout=60_000)
        assert tree.read("seen.txt") == "one"
        page.screenshot(path=lab.root / "running-dark.png")
        runs.get_by_role("button", name="Cancel").click()
        expect(runs.locator(".lg-run-head .lg-state")).to_have_text("cancelled")
        assert bench.seat.violations("#lockgate-runs") == []
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
