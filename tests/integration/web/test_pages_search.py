"""The pages that stand on the search index: the feed, the runs table, the search."""

from __future__ import annotations

import time

from web_site import DEADLINE_S, Site

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
