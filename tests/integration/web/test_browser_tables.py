"""Parquet tables and notebooks in a real browser: paged, sorted, shown by cells, compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, expect
from web_browser import NARROW, WIDE, seat
from web_site import Site, served

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script><form action=/logout><button>x</button></form>"
MANIFEST = """\
[project]
name = "shown"

[stages.make]
run = "cp in.parquet out.parquet && cp in.ipynb out.ipynb"
needs = ["in.parquet", "in.ipynb"]
makes = ["out.parquet", "out.ipynb"]
"""


def write(tree: Path, factor: int) -> None:
    numbers = list(range(200))
    table = pa.table({"name": [f"n{n:03d}" for n in numbers], "value": [(n * 37 % 200) for n in numbers]})
    if factor > 1:
        table = table.set_column(1, "value", pa.array([(n * 37 % 200) * (1 + (n == 3)) for n in numbers]))
    pq.write_table(table, tree / "in.parquet", row_group_size=30)
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": f"factor {factor}\n"},
        {"output_type": "execute_result", "metadata": {}, "data": {"text/html": f"<b>bold</b>{EVIL}"}},
    ]
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": f"# The title\n{EVIL}"},
        {"cell_type": "code", "metadata": {}, "source": f"factor = {factor}", "outputs": outputs},
    ]
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    (tree / "in.ipynb").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("tables")) as site:
        tree = site.project("shown", {"lockgate.toml": MANIFEST}, has_run=False)
        for factor in (1, 2):
            write(tree, factor)
            site.git(tree, "add", ".")
            site.git(tree, "commit", "-qm", f"Factor {factor}")
            site.git(tree, "push", "-f", "-o", "wait", "hub", f"HEAD:refs/heads/try-{factor}")
        site.start()
        yield site


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", WIDE), ("dark", NARROW)])
def test_parquet_and_notebooks_are_shown_and_compared(
    shown: Site, browser: Browser, scheme: str, width: int
) -> None:
    new, old = (row.request.id for row in shown.runs("shown")[:2])
    with seat(browser, shown.url, scheme, width) as one:
        page = one.go(f"/p/shown/artifacts/{new}/out.parquet")
        expect(page.locator(".pager")).to_contain_text("Rows 1 to 50 of 200")
        expect(page.locator("tbody td").first).to_have_text("n000")
        assert one.violations() == []
        page.get_by_role("link", name="Later").click()
        expect(page.locator("tbody td").first).to_have_text("n050")
        page.get_by_role("link", name="value").click()
        expect(page.locator("th[aria-sort=ascending]")).to_contain_text("value")
        page.get_by_role("link", name="value").click()
        expect(page.locator("tbody tr").first).to_contain_text("222")
        page = one.go(f"/p/shown/artifacts/{new}/out.ipynb")
        frame = page.frame_locator("iframe.sandbox")
        expect(frame.locator("h1")).to_have_text("The title")
        expect(frame.locator("pre.source")).to_contain_text("factor = 2")
        expect(frame.locator("b")).to_have_text("bold")
        assert one.violations() == []
        page = one.go("/p/shown/files/in.ipynb?at=try-1")
        expect(page.frame_locator("iframe.sandbox").locator("pre.source")).to_contain_text("factor = 1")
        page = one.go(f"/p/shown/compare?runs={old},{new}")
        table = page.locator("section", has=page.get_by_role("heading", name="out.parquet"))
        expect(table).to_contain_text("1 changed, 0 added, 0 removed")
        expect(table.locator("td.changed")).to_have_text("111 222+111")
        cells = page.locator("section", has=page.get_by_role("heading", name="Notebooks, by cells"))
        expect(cells.locator(".add").first).to_have_text("+factor = 2")
        expect(cells).to_contain_text("Cell 2, output")
        assert "nbformat" not in page.locator("main").inner_text()
        assert one.violations() == []
        assert one.overflow() <= 0
        for path in (f"artifacts/{new}/out.ipynb?cells=1", "files/in.ipynb?at=try-2&cells=1"):
            one.go(f"/p/shown/{path}")
            assert one.page.evaluate("self.origin") == "null"
        assert one.dialogs == []
