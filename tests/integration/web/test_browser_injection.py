"""What members name and make is shown as what it is: no name is markup, no file of theirs acts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from web_browser import seat
from web_site import Site, served

EVIL = "<img src=x onerror=alert(1)>"
SCRIPT = "<script>alert(document.domain)</script>"
MAKE = f"""
import json

evil = {EVIL!r}
json.dump({{evil: 1, "word": evil}}, open("metrics.json", "w"))
open(evil + ".csv", "w").write(evil + ",n\\n" + evil + ",1\\n")
open("drawn.svg", "w").write(
    "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(2)'><script>alert(3)</script>"
    "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml' onload='alert(4)'/></foreignObject></svg>"
)
open("report.html", "w").write("<h1>A report</h1>{SCRIPT}<form action='/logout' method='post'></form>")
print(evil, "\\x1b]8;;javascript:alert(5)\\x07link\\x1b]8;;\\x07")
raise SystemExit(0)
"""
FILES = {
    "lockgate.toml": f"""\
[project]
name = "evil"

[params]
word = "{EVIL}"

[stages.make]
run = "python3 make.py # {{word}}"
needs = ["make.py"]
makes = ["{EVIL}.csv", "report.html"]
metrics = ["metrics.json"]
figures = ["drawn.svg"]
""",
    "make.py": MAKE,
    f"{EVIL.replace('/', '')}.md": SCRIPT,
}


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("evil")) as site:
        tree = site.project("evil", FILES)
        site.git(tree, "pull", "-q", "--rebase", "hub", "main")
        site.git(tree, "checkout", "-q", "-b", "<script>alert(6)</script>")
        (tree / "make.py").write_text(MAKE.replace("SystemExit(0)", f"ValueError({EVIL!r})"))
        site.git(tree, "-c", f"user.name={SCRIPT}", "commit", "-qam", f"{SCRIPT}{EVIL}")
        site.git(tree, "push", "-o", "wait", "hub", "HEAD")
        site.start()
        yield site


@pytest.mark.slow
def test_nothing_that_members_name_or_make_acts_on_a_page(evil: Site, browser: Browser) -> None:
    failed, good = (row.request.id for row in evil.runs("evil")[:2])
    assert [row.state for row in evil.runs("evil")[:2]] == ["failed", "succeeded"]
    run, made = f"/p/evil/runs/{good}", f"/p/evil/artifacts/{good}"
    pages = [
        "/", "/p/evil", "/p/evil/runs", "/p/evil/runs?filter=%3Cscript%3E", run, f"{run}/logs/make",
        f"/p/evil/runs/{failed}", f"/p/evil/compare?runs={good},{failed}", "/p/evil/files",
        f"{made}/%3Cimg%20src=x%20onerror=alert(1)%3E.csv", f"{made}/drawn.svg", f"{made}/report.html",
        "/p/evil/files?at=%3Cscript%3Ealert(6)%3C/script%3E", "/search?q=onerror",
        "/search?q=%22%3E%3Cscript%3E",
        "/p/evil?text=%3Cscript%3E&by=%22onfocus=alert(7)", "/p/%3Cscript%3E",
    ]  # fmt: skip
    with seat(browser, evil.url) as one:
        for path in pages:
            page = one.go(path)
            assert one.dialogs == [], path
            assert page.locator("main img[src=x], main script").count() == 0, path
        page = one.go(run)
        assert EVIL in page.locator("pre.log").inner_text()
        assert "link" in page.locator("pre.log").inner_text()
        assert page.frame_locator("iframe.sandbox").locator("h1").inner_text() == "A report"
        for raw in (f"{made}/drawn.svg?raw=1", f"{made}/report.html?raw=1"):
            one.go(raw)
            one.page.wait_for_timeout(200)
            assert one.dialogs == [], raw
            assert one.page.evaluate("self.origin") == "null", raw
