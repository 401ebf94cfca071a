"""The Sync button in a real JupyterLab: no edit is lost, conflicts are decided by cell, all is undone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from e2e_place import Place, WorkTree
from lab_notebook import notebook
from lab_server import Bench, Lab
from playwright.sync_api import Browser, Locator, expect

pytestmark = pytest.mark.lab

#: Nothing in it depends on the notebook: what is pushed runs nothing anew.
STAGE = '[stages.s]\nrun = "echo 1 > d"\nneeds = []\nmakes = ["d"]\n'


@pytest.fixture
def two(place: Place, request: pytest.FixtureRequest) -> tuple[WorkTree, WorkTree]:
    """Mine, which Lab shows, and somebody else's clone."""
    name = "s" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    mine = place.project({"lockgate.toml": STAGE, "n.ipynb": notebook("a = 1", "b = 1")}, name=name)
    mine.lockgate("sync")
    place.settle(name)
    mine.lockgate("sync")
    return mine, place.clone(f"{name}-other", "other@example.org", name)


def button(bench: Bench) -> Locator:
    return bench.page.locator(".jp-NotebookPanel:visible .lg-sync")


def press(bench: Bench) -> None:
    button(bench).locator("button").click()


def wait_for(bench: Bench, state: str) -> None:
    bench.page.wait_for_selector(f".jp-NotebookPanel .lg-sync[data-state='{state}']:visible", timeout=60_000)


def alert(bench: Bench, text: str) -> Locator:
    found = bench.page.get_by_role("alert").filter(has_text=text).last
    found.wait_for()
    return found


def sources(tree: WorkTree) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(tree.read("n.ipynb"))["cells"]]


def test_an_unsaved_edit_and_another_members_meet(
    lab: Lab, browser: Browser, two: tuple[WorkTree, WorkTree]
) -> None:
    mine, other = two
    other.write({"n.ipynb": notebook("a = 1", "b = 2"), "new.txt": "x"})
    other.lockgate("sync")
    with lab.open(browser, f"{mine.path.name}/n.ipynb") as bench:
        wait_for(bench, "get")
        expect(button(bench)).to_contain_text("↓1")
        bench.type_into_cell("\nunsaved = 1")
        press(bench)
        alert(bench, "Sent")
        assert sources(mine) == ["a = 1\nunsaved = 1", "b = 2"]
        expect(bench.page.locator(".jp-NotebookPanel:visible .jp-Cell .cm-content").nth(1)).to_have_text(
            "b = 2"
        )
        wait_for(bench, "even")
        assert mine.has("new.txt")
        press(bench)
        alert(bench, "Nothing to sync")
        assert bench.seat.faults == []
        assert bench.seat.violations(".lg-sync") == []


@pytest.mark.parametrize("way", ["Keep mine", "Take theirs", "Edit"])
def test_one_cell_that_both_changed_is_decided_and_undone(
    lab: Lab, browser: Browser, two: tuple[WorkTree, WorkTree], way: str
) -> None:
    mine, other = two
    other.write({"n.ipynb": notebook("a = 'theirs'", "b = 1")})
    other.lockgate("sync")
    with lab.open(browser, f"{mine.path.name}/n.ipynb", "dark" if way == "Edit" else "light") as bench:
        page = bench.page
        wait_for(bench, "get")
        bench.type_into_cell(" + 1")
        press(bench)
        dialog = page.get_by_role("dialog")
        question = dialog.get_by_role("group", name="Code cell 1")
        expect(question).to_contain_text("a = 1 + 1")
        expect(question).to_contain_text("a = 'theirs'")
        expect(dialog.get_by_role("button", name="Sync", exact=True)).to_be_disabled()
        assert sources(mine) == ["a = 1 + 1", "b = 1"]
        page.screenshot(path=Path(lab.root) / f"conflict-{way.split()[0]}.png")
        question.get_by_label(way, exact=True).check()
        if way == "Edit":
            question.get_by_role("textbox").fill("a = 'both'")
        assert bench.seat.violations(".lg-conflicts") == []
        page.screenshot(path=Path(lab.root) / f"decided-{way.split()[0]}.png")
        dialog.get_by_role("button", name="Sync", exact=True).click()
        told = alert(bench, "Sent")
        expected = {"Keep mine": "a = 1 + 1", "Take theirs": "a = 'theirs'", "Edit": "a = 'both'"}[way]
        assert sources(mine) == [expected, "b = 1"]
        first = page.locator(".jp-NotebookPanel:visible .jp-Cell .cm-content").first
        expect(first).to_have_text(expected)
        told.get_by_role("button", name="Undo").click()
        alert(bench, "Undone")
        assert sources(mine) == ["a = 1 + 1", "b = 1"]
        expect(first).to_have_text("a = 1 + 1")
        assert mine.git("status", "--porcelain").out == " M n.ipynb\n"
        other.lockgate("sync")
        assert sources(other) == ["a = 'theirs'", "b = 1"]
        assert bench.seat.faults == []


def test_two_who_edit_one_notebook_sync_what_both_typed(
    lab: Lab, browser: Browser, two: tuple[WorkTree, WorkTree]
) -> None:
    mine, other = two
    other.write({"n.ipynb": notebook("a = 1", "b = 2")})
    other.lockgate("sync")
    path = f"{mine.path.name}/n.ipynb"
    with lab.open(browser, path) as first, lab.open(browser, path) as second:

        def cell(bench: Bench, number: int) -> Locator:
            return bench.page.locator(".jp-NotebookPanel:visible .jp-Cell .cm-content").nth(number)

        first.type_into_cell("\nfirst = 1")
        expect(cell(second, 0)).to_contain_text("first = 1")
        second.type_into_cell("\nsecond = 2")
        press(second)
        alert(second, "Sent")
        assert sources(mine) == ["a = 1\nfirst = 1\nsecond = 2", "b = 2"]
        for bench in (first, second):
            expect(cell(bench, 1)).to_have_text("b = 2")
            wait_for(bench, "even")
            assert bench.seat.faults == []


def test_a_branch_is_merged_cell_by_cell_and_undone(lab: Lab, browser: Browser, place: Place) -> None:
    mine = place.project({"lockgate.toml": STAGE, "n.ipynb": notebook("a = 1", "b = 1")}, name="merged")
    first = mine.git("branch", "--show-current").out.strip()
    mine.git("switch", "--quiet", "-c", "trial")
    mine.commit({"n.ipynb": notebook("a = 'trial'", "b = 2"), "new.txt": "x"})
    mine.git("switch", "--quiet", first)
    with lab.open(browser, "merged/n.ipynb", "dark") as bench:
        page = bench.page
        bench.type_into_cell(" + 1")
        page.locator(".lg-branch").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Find a branch").fill("trial")
        dialog.get_by_role("button", name="Merge…").click()
        expect(dialog).to_contain_text(f"1 commit of trial would come into {first}")
        expect(dialog.get_by_role("list", name="Files that change")).to_contain_text("n.ipynbto decide")
        assert bench.seat.violations(".lg-dialog") == []
        page.screenshot(path=Path(lab.root) / "merge-preview.png")
        dialog.get_by_role("button", name="Decide…").click()
        question = dialog.get_by_role("group", name="Code cell 1")
        expect(question).to_contain_text("a = 1 + 1")
        assert not mine.has("new.txt")
        question.get_by_label("Take theirs", exact=True).check()
        page.screenshot(path=Path(lab.root) / "merge-decided.png")
        dialog.get_by_role("button", name="Merge", exact=True).click()
        told = alert(bench, "Merged 1 commit of trial")
        assert sources(mine) == ["a = 'trial'", "b = 2"]
        assert mine.has("new.txt")
        first_cell = page.locator(".jp-NotebookPanel:visible .jp-Cell .cm-content").first
        expect(first_cell).to_have_text("a = 'trial'")
        told.get_by_role("button", name="Undo").click()
        alert(bench, "Undone")
        expect(first_cell).to_have_text("a = 1 + 1")
        assert sources(mine) == ["a = 1 + 1", "b = 1"]
        assert (mine.git("status", "--porcelain").out, mine.has("new.txt")) == (" M n.ipynb\n", False)
        assert bench.seat.faults == []


def test_a_hub_that_is_away_is_told_and_caught_up_with(
    lab: Lab, browser: Browser, two: tuple[WorkTree, WorkTree]
) -> None:
    mine, _ = two
    url = mine.git("remote", "get-url", "hub").out.strip()
    with lab.open(browser, f"{mine.path.name}/n.ipynb") as bench:
        wait_for(bench, "even")
        mine.git("remote", "set-url", "hub", "/nowhere/repositories/p.git")
        bench.type_into_cell("\nc = 3")
        press(bench)
        alert(bench, "Your commits wait here")
        assert mine.git("status", "--porcelain").out == ""
        assert ".ipynb_checkpoints" not in mine.git("ls-files").out
        mine.git("remote", "set-url", "hub", url)
        press(bench)
        alert(bench, "Sent 1 commit")
        wait_for(bench, "even")
