"""The Run button in a real JupyterLab: its colour, a press, the results."""

from __future__ import annotations

import json

import pytest
from e2e_place import Place, WorkTree
from lab_server import Lab
from playwright.sync_api import Browser, expect

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
cells = json.load(open("look.ipynb"))["cells"]
json.dump({"source": "".join(cells[0]["source"])}, open("seen.json", "w"))
"""


def notebook(*sources: str) -> str:
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": text,
        }
        for n, text in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


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
        bench.page.get_by_text("is queued").wait_for()
        bench.wait_for_state("known")
        assert json.loads(tree.read("seen.json")) == {"source": "a = 1\nb = 2"}
        assert tree.read("sorted.txt") == "1\n3\n"
        bench.type_into_cell("\nc = 3")
        bench.wait_for_state("would-run")
        assert bench.seat.faults == []
        assert bench.seat.violations(".lg-run") == []
