"""The pages that stand on the search index: the feed, the runs table, the search."""

from __future__ import annotations

import time

import pytest
from journals import AT, cell, write_journal
from web_site import DEADLINE_S, Site

from lockgate.activity.execution import Picture

PAGE = {"accept": "text/html"}


def until(site: Site, path: str, words: str) -> str:
    """Return a page once it has these words: the index follows the chain within a moment."""
    end = time.monotonic() + DEADLINE_S
    with site.client(headers=PAGE) as client:
        while True:
            text = client.get(path).text
            if words in text:
                return text
            assert time.monotonic() < end, f"{path} never says {words}: {text[-3000:]}"
            time.sleep(0.1)


def test_the_feed_tells_what_was_pushed_and_what_came_of_it(site: Site) -> None:
    text = until(site, "/p/flights", "counts.svg")
    assert "Today" in text or "Yesterday" in text
    assert "succeeded in" in text
    assert 'action="/p/flights/runs/' in text
    assert "Nothing here" in until(site, "/p/flights?by=nobody", "Nothing here")


def test_the_runs_table_is_filtered_and_says_what_is_wrong(site: Site) -> None:
    run = site.runs()[0].request.id
    text = until(site, "/p/flights/runs?filter=rows+%3D+4", run)
    assert 'aria-sort="descending"' in text
    until(site, "/p/flights/runs?filter=rows+%3D+5", "No run fits")
    with site.client(headers=PAGE) as client:
        wrong = client.get("/p/flights/runs?filter=rowz+%3E+1")
        charted = client.get("/p/flights/runs?chart=metrics.json:rows")
        csv = client.get("/p/flights/runs.csv")
        bad_csv = client.get("/p/flights/runs.csv?filter=rowz+%3E+1")
    assert wrong.status_code == 400
    assert "rowz" in wrong.text
    assert "rows" in wrong.text
    assert "<svg" in charted.text
    assert csv.headers["content-type"].startswith("text/csv")
    assert run in csv.text
    assert bad_csv.status_code == 400


def test_one_box_finds_code_and_logs(site: Site) -> None:
    text = until(site, "/search?q=Counter", "count.py")
    assert "/p/flights/files/count.py" in text
    until(site, "/search?q=nothingofthekind", "Nothing found")


def test_what_was_executed_is_shown_and_can_do_nothing(site: Site) -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    snapshot = site.git(site.root, "-C", str(site.hub.repository("flights")), "rev-parse", "main").strip()
    hostile = cell(
        3, AT, code="evil('<script>alert(1)</script>')\n" + "x = 1\n" * 30, text="<b>bold</b>",
        pictures=(Picture("image/svg+xml", drawing),), notebook="<i>.ipynb",
    )  # fmt: skip
    failed = cell(4, AT + 5, code="wrong()", status="error", error="ValueError: <u>", notebook="<i>.ipynb")
    entries = write_journal(site.hub, "flights", "ada", "desk", [hostile, failed], snapshot)
    text = until(site, "/p/flights?kind=cell", "2 cells of &lt;i&gt;.ipynb")
    assert "<script>alert" not in text
    assert f'src="/p/flights/cells/{entries[0]}/pictures/0.svg"' in text
    assert "ValueError: &lt;u&gt;" in text
    with site.client(headers=PAGE) as client:
        sitting = client.get(f"/p/flights/sittings/{entries[0]}").text
        whole = client.get(f"/p/flights/cells/{entries[0]}").text
        picture = client.get(f"/p/flights/cells/{entries[0]}/pictures/0.svg")
        others = [
            client.get(f"/p/flights/cells/{path}").status_code
            for path in (
                f"{entries[0]}/activity.json", f"{entries[1]}/pictures/0.svg", snapshot,
                f"{snapshot}/count.py", "..%2f..%2fetc/passwd", "-h",
            )
        ]  # fmt: skip
    assert "evil(&#39;&lt;script&gt;" in sitting
    assert f"lockgate rollback {entries[0][:10]} --branch" in whole
    assert f'action="/p/flights/cells/{entries[0]}/branch"' in whole
    assert f'action="/p/flights/cells/{entries[0]}/back"' in whole
    assert "&lt;b&gt;bold&lt;/b&gt;" in whole
    assert "<script>alert" not in sitting + whole
    assert picture.content == drawing
    assert picture.headers["content-security-policy"].startswith("sandbox;")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert others == [404] * 6
    found = until(site, "/search?q=evil", "/p/flights/cells/")
    assert f"/p/flights/cells/{entries[0]}" in found


@pytest.mark.timeout(120)
def test_a_journal_that_comes_is_news(site: Site) -> None:
    with (
        site.client() as client,
        client.stream("GET", "/api/v1/projects/flights/events") as told,
    ):
        lines = told.iter_lines()
        assert next(lines).startswith("retry")
        write_journal(site.hub, "flights", "bob", "lap", [cell(1, AT)])
        assert any('"activity"' in line for line in lines)
