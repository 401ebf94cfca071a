"""The guided tour: shown to who is here the first time, by keyboard, and never again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2e_place import ONE_STAGE, Place
from lab_notebook import notebook
from lab_server import Lab, served_lab
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with served_lab(place.root, tmp_path_factory.mktemp("jupyter"), place.env, has_tour=True) as made:
        yield made


def test_the_tour_comes_once_and_can_be_called(lab: Lab, browser: Browser, place: Place) -> None:
    place.project({"lockgate.toml": ONE_STAGE, "i": "1\n", "n.ipynb": notebook("1")}, name="tour")
    with lab.open(browser, "tour/n.ipynb") as bench:
        page, tour = bench.page, bench.page.locator(".lg-tour")
        expect(tour).to_contain_text("Step 1 of 5")
        assert bench.seat.violations(".lg-tour") == []
        for step in range(2, 6):
            page.keyboard.press("Enter")
            expect(tour).to_contain_text(f"Step {step} of 5")
        expect(page.locator("#lockgate-runs")).to_be_visible()
        page.keyboard.press("Escape")
        expect(tour).to_have_count(0)
        assert bench.seat.faults == []
    with lab.open(browser, "tour/n.ipynb") as bench:
        page, tour = bench.page, bench.page.locator(".lg-tour")
        bench.wait_for_state("would-run")
        expect(tour).to_have_count(0)
        page.get_by_role("menubar").get_by_text("Lockgate", exact=True).click()
        page.get_by_role("menuitem", name="Guided Tour").click()
        expect(tour).to_contain_text("Step 1 of 5")
