"""The Run button in a real JupyterLab: its colour, a press, the results."""

from __future__ import annotations

import json
import re

import pytest
from e2e_place import Place, WorkTree
from lab_notebook import notebook
from lab_server import Lab
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.lab

PIPELINE = """\
[stages.prepare]
run = "sort numbers.txt > sorted.txt"
needs = ["numbers.txt"]
makes = ["sorted.txt"]

[stages.look]
run = "python look.py"
needs = ["look.py", "look.ipynb", "sorted.txt"]
makes = ["seen.json"]
"""
#: Reads its notebook's first cell, so that what it makes tells which content was run.
LOOK = """\
import json
import re
cells = json.load(open("look.ipynb"))["cells"]
json.dump({"source": "".join(cells[0]["source"])}, open("seen.json", "w"))
"""


@pytest.fixture
def tree(place: Place, request: pytest.FixtureRequest) -> WorkTree:
    files = {"lockgate.toml": PIPELINE, "numbers.txt": "3\n1\n", "look.py": LOOK}
    name = str(request.node.name).removeprefix("test_").replace("_", "-")
    return place.project(files | {"look.ipynb": notebook("a = 1")}, name=name)


def test_an_unsaved_edit_is_saved_run_and_its_results_come_back(
    lab: Lab, browser: Browser, tree: WorkTree
) -> None:
    with lab.open(browser, f"{tree.path.name}/look.ipynb") as bench:
        bench.wait_for_state("would-run")
        expect(bench.run_button).to_contain_text("Run")
        bench.type_into_cell("\nb = 2")
        bench.run_button.locator(".lg-run-main").click()
        bench.page.get_by_role("alert").filter(has_text="is queued").wait_for()
        bench.wait_for_state("known")
        assert json.loads(tree.read("seen.json")) == {"source": "a = 1\nb = 2"}
        assert tree.read("sorted.txt") == "1\n3\n"
        bench.type_into_cell("\nc = 3")
        bench.wait_for_state("would-run")
        assert bench.seat.faults == []
        assert bench.seat.violations(".lg-run") == []


def test_a_failed_run_says_why_and_the_menu_offers_the_rest(
    lab: Lab, browser: Browser, tree: WorkTree
) -> None:
    tree.write({"look.py": "raise SystemExit('the table is empty')\n"})
    with lab.open(browser, f"{tree.path.name}/look.ipynb", "dark") as bench:
        page = bench.page
        bench.wait_for_state("would-run")
        bench.run_button.locator(".lg-run-main").click()
        page.get_by_role("alert").filter(has_text="failed").wait_for()
        bench.wait_for_state("would-run")
        assert not tree.has("seen.json")
        bench.run_button.get_by_label("More ways to run").click()
        page.get_by_role("menuitem", name="What Would Run, and Why…").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("row", name="prepare no")).to_contain_text("from run")
        expect(dialog.get_by_role("row", name="look yes")).to_be_visible()
        assert bench.seat.violations(".lg-forecast") == []
        dialog.get_by_role("button", name="Close").click()


def test_parameters_of_one_run_leave_the_project_as_it_is(lab: Lab, browser: Browser, place: Place) -> None:
    stage = 'run = "echo {depth} > d"\nneeds = []\nmakes = ["d"]\nparams = { depth = 3 }\n'
    tree = place.project(
        {"lockgate.toml": f"[stages.s]\n{stage}", "n.ipynb": notebook("1")}, name="parameters"
    )
    before = tree.read("lockgate.toml")
    with lab.open(browser, "parameters/n.ipynb") as bench:
        bench.wait_for_state("would-run")
        bench.run_button.get_by_label("More ways to run").click()
        bench.page.get_by_role("menuitem", name="With Parameters…").click()
        bench.page.get_by_label("depth").fill("8")
        bench.page.keyboard.press("Enter")
        bench.page.get_by_role("alert").filter(has_text="succeeded").wait_for()
        assert tree.read("d") == "8\n"
        assert tree.read("lockgate.toml") == before


def test_a_folder_becomes_a_project_by_the_button(lab: Lab, browser: Browser, place: Place) -> None:
    (place.root / "plain").mkdir()
    (place.root / "plain/n.ipynb").write_text(notebook("print(1)"))
    with lab.open(browser, "plain/n.ipynb") as bench:
        bench.wait_for_state("no-project")
        bench.run_button.locator(".lg-run-main").click()
        bench.page.get_by_role("button", name="Begin", exact=True).click()
        bench.wait_for_state("would-run")
        assert "n.ipynb" in (place.root / "plain/lockgate.toml").read_text()


def test_a_run_is_cancelled_from_the_menu(lab: Lab, browser: Browser, place: Place) -> None:
    stage = '[stages.s]\nrun = "sleep 600"\nneeds = []\nmakes = ["d"]\n'
    place.project({"lockgate.toml": stage, "n.ipynb": notebook("1")}, name="cancelled")
    with lab.open(browser, "cancelled/n.ipynb") as bench:
        bench.wait_for_state("would-run")
        bench.run_button.locator(".lg-run-main").click()
        bench.wait_for_state("running")
        bench.run_button.get_by_label("More ways to run").click()
        bench.page.get_by_role("menuitem", name="Cancel the Run").click()
        bench.page.get_by_role("alert").filter(has_text="cancelled").wait_for()
        bench.wait_for_state("would-run")


def test_a_broken_manifest_is_told_at_the_button(lab: Lab, browser: Browser, place: Place) -> None:
    place.project({"lockgate.toml": "[stages.s]\nrun = 1\n", "n.ipynb": notebook("1")}, name="broken")
    with lab.open(browser, "broken/n.ipynb") as bench:
        bench.wait_for_state("broken")
        expect(bench.run_button.locator(".lg-run-main")).to_have_attribute(
            "title", re.compile("lockgate.toml:2")
        )
        bench.run_button.locator(".lg-run-main").click()
        expect(bench.page.get_by_role("dialog")).to_contain_text("lockgate.toml:2")


def test_the_extension_adds_little_to_the_start(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    with lab.open(browser, f"{tree.path.name}/look.ipynb") as bench:
        bench.wait_for_state("would-run")
        own = "performance.getEntriesByType('resource').filter(each => each.name.includes('@lockgate'))"
        size = bench.page.evaluate(f"{own}.reduce((sum, each) => sum + each.decodedBodySize, 0)")
    assert 10_000 < size <= 100_000
