"""The pages answer, and a member's own file never acts with our pages' rights."""

from __future__ import annotations

from web_site import Site

PAGE = {"accept": "text/html"}


def test_a_run_and_what_it_made_are_shown(site: Site) -> None:
    run = site.runs()[0].request.id
    with site.client(headers=PAGE) as client:
        page = client.get(f"/p/flights/runs/{run}")
        table = client.get(f"/p/flights/artifacts/{run}/counts.csv?sort=-1")
        log = client.get(f"/p/flights/runs/{run}/logs/count")
    assert "counted 4 flights" in log.text
    assert "drew 3 bars" in page.text
    assert "counts.svg?raw=1" in page.text
    assert table.text.index("AA") < table.text.index("UA")


def test_a_file_of_a_run_is_sandboxed(site: Site) -> None:
    run = site.runs()[0].request.id
    with site.client() as client:
        drawn = client.get(f"/p/flights/artifacts/{run}/counts.svg?raw=1")
        saved = client.get(f"/p/flights/artifacts/{run}/counts.csv?save=1")
        missing = client.get(f"/p/flights/artifacts/{run}/../../../../etc/passwd?raw=1")
        unknown = client.get(f"/p/flights/artifacts/{run}/nothing.csv", headers=PAGE)
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert drawn.headers["content-security-policy"].startswith("sandbox;")
    assert saved.headers["content-disposition"].startswith("attachment")
    assert missing.status_code == 404
    assert unknown.status_code == 404
    assert "artifact-unknown" in unknown.text


def test_runs_commits_and_files_are_shown(site: Site) -> None:
    row = site.runs()[0]
    with site.client(headers=PAGE) as client:
        commit = client.get(f"/p/flights/commits/{row.result_commit}")
        folder = client.get("/p/flights/files")
        file = client.get("/p/flights/files/count.py?at=main")
        choice = client.get(f"/p/flights/compare?runs={row.request.id}")
        assert client.get("/p/flights/files/count.py?at=--output=x").status_code == 404
        assert client.get("/p/flights/commits/HEAD").status_code == 404
    assert f'href="/p/flights/runs/{row.request.id}"' in commit.text
    assert "counts.csv" in folder.text
    assert "from collections import Counter" in file.text
    assert "Choose two or more" in choice.text
