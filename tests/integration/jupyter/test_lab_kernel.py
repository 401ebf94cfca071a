"""A kernel of the project in JupyterLab: offered, its runtime built and told of, cells run in it."""

from __future__ import annotations

import pytest
from e2e_place import ONE_STAGE, Place, WorkTree
from lab_notebook import notebook
from lab_server import Lab
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture
def tree(place: Place) -> WorkTree:
    made = place.project(
        {"lockgate.toml": ONE_STAGE, "i": "1\n", "requirements.txt": "tabulate==0.9.0\n"}, name="flights"
    )
    made.lockgate("kernel", "add", "flights-py", "--display-name", "Flights (Python)")
    cells = ["import tabulate; print('tabulate', tabulate.__version__)", "%lockgate status", "lockgate.run()"]
    made.write(
        {
            "look.ipynb": notebook(
                "import lockgate", *cells, kernel="flights-py", display_name="Flights (Python)"
            )
        }
    )
    made.commit()
    return made


def test_the_runtime_is_built_and_cells_run_in_it(lab: Lab, browser: Browser, tree: WorkTree) -> None:
    with lab.open(browser) as bench:
        page = bench.page
        # A folder made while the server runs: its kernel is found when its notebook is opened
        page.goto(page.url.split("/lab")[0] + "/lab/tree/flights/look.ipynb")
        expect(page.get_by_text("building the runtime").first).to_be_visible(timeout=60_000)
        bench.wait_for_kernel()
        expect(page.get_by_text("has its runtime").first).to_be_visible()
        expect(page.locator(".jp-NotebookPanel:visible .jp-KernelName")).to_contain_text("Flights (Python)")
        page.locator(".jp-NotebookPanel:visible .jp-Cell").first.click()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        outputs = page.locator(".jp-NotebookPanel:visible .jp-OutputArea-output")
        expect(outputs.filter(has_text="tabulate 0.9.0")).to_be_visible(timeout=30_000)
        expect(outputs.filter(has_text="1 of 1 stages would run")).to_be_visible()
        expect(outputs.filter(has_text="succeeded").last).to_be_visible(timeout=60_000)
        assert bench.seat.faults == []
        assert bench.seat.violations(".jp-OutputArea .lockgate") == []
        assert tree.read("o") == "1\n"
