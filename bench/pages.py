"""How long the first page takes until somebody can use it, in a real browser.

Run: python bench/pages.py [rounds]
Each round is a browser without anything kept. Ready is: something is painted, a press on a control of it
has been answered, and the browser was not held later by a task of more than 50 ms.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/services"))

import pytest
from playwright.sync_api import Browser
from web_browser import start_browser
from web_site import Site, served

from measure import Row, absolute

#: The parts of it: https://web.dev/articles/tti
_BAR_MS, _BAR_BYTES = 1000, 150_000
#: The press is answered once the page's theme has turned.
_PRESS = """
() => new Promise((done) => {
  const root = document.documentElement;
  let answered = null, painted = null, held = 0;
  const tell = () => { if (answered !== null && painted !== null) done(Math.max(answered, painted, held)); };
  new MutationObserver(() => requestAnimationFrame(() => { answered ??= performance.now(); tell(); }))
    .observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  new PerformanceObserver((list) => { painted ??= list.getEntries()[0].startTime; tell(); })
    .observe({ type: "paint", buffered: true });
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) held = Math.max(held, task.startTime + task.duration);
  }).observe({ type: "longtask", buffered: true });
  const press = () => {
    if (answered !== null) return;
    document.querySelector("[data-theme-toggle]:not([hidden])")?.click();
    setTimeout(press, 10);
  };
  press();
})
"""
_BYTES = """
() => performance.getEntriesByType("resource")
  .filter((each) => ["script", "link"].includes(each.initiatorType))
  .reduce((sum, each) => sum + each.decodedBodySize, 0)
"""


def first_page(scratch: Path, is_quick: bool, rounds: int = 15) -> list[Row]:
    """The first page of a hub whose project has run, from the press on its address on."""
    with served(scratch / "site") as site:
        site.project("flights")
        site.start()
        try:
            for browser in start_browser():
                return _measured(browser, site, 3 if is_quick else rounds)
        except pytest.skip.Exception as missing:
            print(missing, file=sys.stderr)
    return []


def _measured(browser: Browser, site: Site, rounds: int) -> list[Row]:
    times, size = [], 0
    for _ in range(rounds):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(site.url, wait_until="commit")
        times.append(float(page.evaluate(_PRESS)))
        page.wait_for_load_state("load")
        size = int(page.evaluate(_BYTES))
        context.close()
    note = f"{size / 1000:.0f} kB of script and style; slowest {max(times):.0f} ms"
    row = absolute("first page, until a press on it is answered", statistics.median(times), _BAR_MS, note)
    assert size <= _BAR_BYTES, size
    return [row]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for measured in first_page(Path(folder), False, int(sys.argv[1]) if len(sys.argv) > 1 else 15):
            print(measured.what, f"{measured.ours_ms:.0f} ms", measured.bar, measured.note, sep="  ")
