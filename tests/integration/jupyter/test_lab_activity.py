"""The panel Activity in a real JupyterLab: what was done stands there, and one goes back to it."""

from __future__ import annotations

import json
import re
import time

import pytest
from e2e_place import ONE_STAGE, Place, WorkTree, until
from lab_notebook import notebook
from lab_server import Bench, Lab
from playwright.sync_api import Browser, Locator, expect

from lockgate.activity.execution import Execution
from lockgate.hub.worktree.journal import Journal
from lockgate.hub.worktree.remembering import Wanted, page_of

pytestmark = pytest.mark.lab

_PICTURE = (
    "from IPython.display import Image\nimport base64\n"
    "Image(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5"
    "ErkJggg=='))"
)


@pytest.fixture
def tree(place: Place, request: pytest.FixtureRequest) -> WorkTree:
    name = str(request.node.name).removeprefix("test_").replace("_", "-")
    sources = ("print('hello')", _PICTURE, "# lockgate: hide\n1 / 0")
    files = {"lockgate.toml": ONE_STAGE, "i": "first\n", "n.ipynb": notebook(*sources)}
    return place.project(files, name=name)


def panel(bench: Bench) -> Locator:
    bench.page.locator(".jp-SideBar [data-id='lockgate-activity']").click()
    found = bench.page.locator("#lockgate-activity")
    found.wait_for()
    return found


def unfolded(activity: Locator, count: int, words: str) -> Locator:
    """Open the fold of so many cells, and return the one with these words."""
    fold = activity.locator(".lg-fold > summary").first
    expect(fold).to_have_text(re.compile(f"^{count} cells before"))
    fold.click()
    return activity.locator(".lg-fold li").filter(has_text=words)


def run_all(bench: Bench) -> None:
    bench.page.get_by_role("menuitem", name="Run", exact=True).click()
    bench.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def test_what_is_executed_stands_there_and_one_goes_back(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    with lab.open(browser, f"{tree.path.name}/n.ipynb") as bench:
        page, activity = bench.page, panel(bench)
        expect(activity.get_by_role("listitem")).to_have_text(re.compile("^Project .* added"))
        run_all(bench)
        entry = unfolded(activity, 2, "n.ipynb [1]: print('hello')")
        entry.get_by_role("button").first.click()
        expect(entry.locator("pre").nth(0)).to_have_text("print('hello')")
        expect(entry.locator("pre").nth(1)).to_have_text("hello\n")
        thumb = activity.locator(".lg-fold-thumbs img")
        expect(thumb).to_be_visible()
        assert thumb.evaluate("each => each.naturalWidth") == 1
        activity.get_by_role("button", name="Errors").click()
        expect(activity.get_by_role("listitem")).to_have_count(1)
        activity.get_by_role("button", name="Errors").click()
        expect(activity.get_by_role("listitem")).to_have_count(4)
        assert bench.seat.violations(".lg-activity") == []

        tree.commit({"i": "second\n", "new.txt": "x\n"})
        tree.write({"i": "third, not committed\n"})
        entry.get_by_role("button", name="Back to here…").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("i")
        expect(dialog).to_contain_text("new.txt")
        expect(dialog).to_contain_text("kept under a ref")
        dialog.get_by_role("button", name="Go Back").click()
        page.get_by_role("alert").filter(has_text="main is back at that state").wait_for()
        assert tree.read("i") == "first\n"
        assert not tree.has("new.txt")
        kept = tree.git("for-each-ref", "--format=%(refname)", "refs/lockgate/undo").out.strip()
        assert tree.git("show", f"{kept}:i").out == "third, not committed\n"
        assert bench.seat.faults == []


def test_a_state_is_opened_to_read_and_a_branch_begins_there(
    lab: Lab, browser: Browser, tree: WorkTree
) -> None:
    with lab.open(browser, f"{tree.path.name}/n.ipynb", "dark") as bench:
        page, activity = bench.page, panel(bench)
        run_all(bench)
        entry = unfolded(activity, 2, "print('hello')")
        entry.get_by_role("button").first.click()
        until(lambda: '"execution_count": 3' in tree.read("n.ipynb"), "the notebook is saved as it was run")
        before = tree.read("n.ipynb")
        entry.get_by_role("button", name="Open this state").click()
        then = page.locator(".jp-NotebookPanel").nth(1)
        then.locator(".jp-Cell").first.wait_for()
        expect(then).to_contain_text("print('hello')")
        assert tree.read("n.ipynb") == before
        # Its project is the one at hand still
        entry.get_by_role("button", name="Branch from here…").click()
        page.get_by_role("dialog").get_by_role("textbox").fill("from-here")
        page.keyboard.press("Enter")
        page.get_by_role("alert").filter(has_text="on the new branch from-here").wait_for()
        assert tree.git("branch", "--show-current").out == "from-here\n"
        assert bench.seat.violations(".lg-activity") == []


def test_a_thousand_entries_are_there_and_found(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    now = time.time()
    start = max(now - 5000, now // 86_400 * 86_400)  # no sitting goes on past midnight
    cells = [
        Execution(code=f"step_{n}()", count=n, started_at=start + n, notebook="n.ipynb", status="ok")
        for n in range(1200)
    ]
    Journal(tree.path).note(cells, [])
    with lab.open(browser, f"{tree.path.name}/n.ipynb") as bench:
        activity = panel(bench)
        # What the hub has of the project comes between them when it comes
        cells_shown = activity.get_by_role("listitem").filter(has_text="step_")
        expect(cells_shown.first).to_contain_text("step_1199()")
        folds = activity.locator(".lg-fold > summary")
        expect(folds).to_have_text([re.compile("99. cells before"), re.compile("(199|200) cells before")])
        assert activity.get_by_role("listitem").count() < 10
        folds.last.click()
        expect(activity.locator(".lg-fold li").last).to_contain_text("step_0()")
        folds.first.click()
        expect(activity.locator(".lg-fold li")).to_have_count(999 + 199)
        activity.get_by_role("searchbox").fill("STEP_37() n.ipynb")
        expect(activity.get_by_role("listitem")).to_have_count(1)
        expect(activity.get_by_role("listitem")).to_have_text(re.compile(r"step_37\(\)"))
        activity.get_by_role("searchbox").fill("nothing of the kind")
        expect(activity).to_contain_text("Nothing of this kind was done.")
        assert bench.seat.faults == []


def test_a_notebook_is_left_out_by_the_menu(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    with lab.open(browser, f"{tree.path.name}/n.ipynb") as bench:
        bench.page.get_by_role("menuitem", name="Lockgate", exact=True).click()
        bench.page.get_by_role("menuitemcheckbox", name="Note What This Notebook Executes").click()
        bench.page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
        expect(bench.page.locator(".lm-Menu")).to_have_count(0)
        bench.page.get_by_role("menuitem", name="Lockgate", exact=True).click()
        # Lab's menus call an item a checkbox while it is checked
        expect(bench.page.get_by_role("menuitem", name="Note What This Notebook Executes")).to_be_visible()
        assert json.loads(tree.read("n.ipynb"))["metadata"]["lockgate"] == {"capture": False}


def test_a_cell_has_its_id_before_the_notebook_is_saved(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    with lab.open(browser, f"{tree.path.name}/n.ipynb") as bench:
        page = bench.page
        page.locator(".jp-Cell .cm-content").first.click()
        for key in ("Escape", "b", "Enter"):
            page.keyboard.press(key)
        page.keyboard.type("6 * 7")
        page.keyboard.press("Shift+Enter")

        def noted() -> list[str | None]:
            return [line.cell for line in page_of(tree.path, Wanted(text="6 * 7")).lines]

        until(noted, "the cell is in the journal")
        (cell,) = noted()
        assert "6 * 7" not in tree.read("n.ipynb")
        page.keyboard.press("Control+s")
        until(lambda: "6 * 7" in tree.read("n.ipynb"), "the notebook is saved")
        saved = json.loads(tree.read("n.ipynb"))["cells"]
        assert [each["id"] for each in saved if "".join(each["source"]) == "6 * 7"] == [cell]
        assert bench.seat.faults == []
