"""The service answers, in the form the caller can read, with its headers."""

from __future__ import annotations

from pathlib import Path

from web_site import Site, served

from lockgate.web.assets import STATIC

KINDS = ("text/css; charset=utf-8", "text/javascript; charset=utf-8", "image/svg+xml")
PAGE = {"accept": "text/html"}


def test_the_home_page_lists_the_projects(site: Site) -> None:
    with site.client() as client:
        answer = client.get("/", headers=PAGE)
    assert answer.status_code == 200
    assert 'href="/p/flights"' in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_not_there_is_told_as_json_and_as_a_page(site: Site) -> None:
    with site.client() as client:
        program = client.get("/api/v1/nothing", headers=PAGE)
        browser = client.get("/nothing", headers=PAGE)
    assert (program.status_code, program.json()["error"]["code"]) == (404, "not-found")
    assert browser.status_code == 404
    assert "<h1>" in browser.text


def test_the_document_of_the_api_is_served(site: Site) -> None:
    assert site.get("/openapi.json")["info"]["title"] == "Lockgate"


def test_scripts_and_style_come_packed_and_once(site: Site) -> None:
    with site.client() as client:
        for name in ("lockgate.css", "htmx.min.js", "live.js", "theme.js", "lockgate.svg"):
            whole = client.get(f"/static/{name}", headers={"accept-encoding": "identity"})
            packed = client.get(f"/static/{name}", headers={"accept-encoding": "gzip"})
            assert whole.content == packed.content == (STATIC / name).read_bytes()
            assert "content-encoding" not in whole.headers
            assert whole.headers["content-type"] in KINDS
            assert packed.headers["content-encoding"] == "gzip"
            assert int(packed.headers["content-length"]) < int(whole.headers["content-length"])
            assert whole.headers["etag"] != packed.headers["etag"]
            again = client.get(f"/static/{name}", headers={"if-none-match": packed.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert client.head(f"/static/{name}").headers["content-type"] == whole.headers["content-type"]
        assert client.get("/static/nothing.js").status_code == 404


def test_below_a_prefix_every_address_bears_it(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        (site.folder / "hub.toml").write_text('[service]\npublic_url = "https://hub.example.org/lock"\n')
        site.project(has_run=False)
        site.start()
        with site.client() as client:
            for path in ("/lock/", "/lock", "/"):  # a proxy may take the prefix off, or not
                assert 'href="/lock/p/flights"' in client.get(path, headers=PAGE).text
