"""A dataset's life in the catalogue: described, pushed, looked at, certified by a steward, changed, found."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from web_site import Site, served

from lockgate.errors import UserError
from lockgate.hub.indexing.index import Index
from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Role
from lockgate.hub.reindex import reindex

DEADLINE_S = 60.0

MANIFEST = """\
[project]
name = "flights"

[datasets."airports.csv"]
description = "Airports, in git"
owner = "bob"

[stages.train]
run = "wc -l < data/flights.csv > model.pkl"
needs = ["data/flights.csv"]
makes = ["model.pkl"]
"""
ROWS = "carrier,delay_minutes,day\nAA,3,2026-01-01\nUA,-8,2026-01-02\nAA,,2026-01-03\n"
ROLES: dict[str, Role] = {"ada": "lead", "bob": "member", "sten": "viewer", "vera": "viewer"}
DATASET = "/api/v1/projects/flights/dataset"
CERTIFICATIONS = "/api/v1/projects/flights/certifications"


class Story:
    """A hub with a team, and the work tree of ada, who leads."""

    def __init__(self, site: Site) -> None:
        self.site = site
        files = {"lockgate.toml": MANIFEST, "airports.csv": "code,name\nJFK,Kennedy\n"}
        self.tree = site.project("flights", files, has_run=False)
        self.tokens = {name: site.member(name, role) for name, role in ROLES.items()}
        open_book(site.hub).change(
            "sten", lambda member: msgspec.structs.replace(member, parties={"flights": ("data-steward",)})
        )

    def lockgate(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "lockgate", *words],
            cwd=self.tree,
            env=self.site.env,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write(self, text: str) -> None:
        place = self.tree / "data" / "flights.csv"
        place.parent.mkdir(exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(text)
        self.lockgate("data", "add", "data/flights.csv")

    def push(self, message: str) -> None:
        self.site.git(self.tree, "add", "-A")
        self.site.git(self.tree, "commit", "-qm", message)
        self.lockgate("hub", "send")
        self.site.git(self.tree, "push", "-q", "-o", "wait", "hub", "HEAD:main")
        self.site.git(self.tree, "pull", "-q", "--rebase", "hub", "main")

    def ask(self, name: str) -> httpx.Client:
        return self.site.client(headers={"authorization": f"Bearer {self.tokens[name]}"})

    def dataset(self, path: str = "data/flights.csv", **query: str) -> dict[str, Any]:
        with self.ask("vera") as client:
            answer = client.get(DATASET, params={"path": path, **query})
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

    def certify(self, name: str, **asked: object) -> httpx.Response:
        with self.ask(name) as client:
            return client.post(CERTIFICATIONS, json={"path": "data/flights.csv", **asked})

    def page(self, path: str) -> str:
        with self.ask("vera") as client:
            answer = client.get(path)
            assert answer.status_code == 200, answer.text
            return answer.text


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with served(tmp_path_factory.mktemp("catalogue")) as site:
        told = Story(site)
        told.write(ROWS)
        words = ("--text", "Departures <of> one airport", "--owner", "ada", "--licence", "CC-BY-4.0")
        told.lockgate("data", "describe", "data/flights.csv", *words, "--column", "delay_minutes=late")
        told.push("Departures")
        site.start()
        yield told


def test_the_page_shows_the_entry_with_columns_and_plots(story: Story) -> None:
    found = story.dataset()
    assert found["entry"]["description"]["owner"] == "ada"
    assert [column["kind"] for column in found["profile"]["columns"]] == ["text", "integer", "day"]
    page = story.page("/p/flights/data/data/flights.csv")
    assert "Departures &lt;of&gt; one airport" in page and "CC-BY-4.0" in page and "late" in page
    assert page.count('class="chart spread"') == 3
    every = story.page("/p/flights/data")
    assert "data/flights.csv" in every and "airports.csv" in every and "Airports, in git" in every


def test_a_file_that_git_holds_is_looked_through_too(story: Story) -> None:
    found = story.dataset("airports.csv")
    assert (found["entry"]["git"] and "md5" not in found["entry"]) or found["entry"]["md5"] is None
    assert [column["name"] for column in found["profile"]["columns"]] == ["code", "name"]


def test_it_is_given_to_catalogues_elsewhere(story: Story) -> None:
    with story.ask("vera") as client:
        answer = client.get("/api/v1/projects/flights/croissant", params={"path": "data/flights.csv"})
        assert answer.headers["content-type"].startswith("application/ld+json")
        found = answer.json()
        (file,) = found["distribution"]
        assert client.get(file["contentUrl"]).text == ROWS and found["conformsTo"].endswith("/1.1")
        fields = found["recordSet"][0]["field"]
        assert [field["dataType"] for field in fields] == ["sc:Text", "sc:Integer", "sc:Date"]
        git = client.get("/api/v1/projects/flights/croissant", params={"path": "airports.csv"}).json()
        assert "Kennedy" in client.get(git["distribution"][0]["contentUrl"]).text
        told = client.get("/api/v1/projects/flights/dcat", params={"form": "turtle"})
        assert told.headers["content-type"].startswith("text/turtle") and "CC-BY-4.0" in told.text
        linked = client.get("/api/v1/projects/flights/dcat").json()
        types = [each for node in linked["@graph"] for each in node.get("@type", [])]
        assert types.count("dcat:Dataset") == 2 and types.count("dcat:Catalog") == 1
    with story.site.client() as client:
        assert client.get("/api/v1/projects/flights/dcat").status_code == 401


def test_a_run_and_a_model_tell_what_they_used(story: Story) -> None:
    found = story.dataset()
    (use,) = found["uses"]["runs"]
    assert (use["stage"], use["content"]) == ("train", found["entry"]["md5"])
    assert [model["path"] for model in found["uses"]["models"]] == ["model.pkl"]
    with story.ask("vera") as client:
        (read,) = client.get(f"/api/v1/projects/flights/runs/{use['run']}/datasets").json()
    assert (read["entry"]["path"], read["stages"]) == ("data/flights.csv", ["train"])
    assert "/p/flights/data/data/flights.csv" in story.page(f"/p/flights/runs/{use['run']}")
    said = story.lockgate("show", use["run"]).split("DATA ")[1]
    assert "data/flights.csv" in said and found["entry"]["md5"][:10] in said and "not certified" in said


def test_search_finds_it_by_a_column(story: Story) -> None:
    end = time.monotonic() + DEADLINE_S
    while "/p/flights/data/data/flights.csv" not in story.page("/search?q=delay_minutes"):
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_steward_certifies_one_version_and_a_change_ends_it(story: Story) -> None:
    assert story.dataset()["standing"]["word"] == "none"
    version = story.dataset()["entry"]["md5"]
    for name in ("bob", "vera"):
        refused = story.certify(name)
        assert refused.status_code == 403 and "data-steward" in refused.text
    assert story.certify("sten", version="0" * 32).json()["error"]["code"] == "data-changed"
    assert story.certify("sten", until="2020-01-01").json()["error"]["code"] == "certification-invalid"
    assert story.certify("sten", path="none.csv").json()["error"]["code"] == "data-unknown"
    made = story.certify("sten", version=version, words="counted against the source")
    assert made.status_code == 201 and made.json()["by"] == "sten"
    assert story.dataset()["standing"]["word"] == "certified"
    assert "certified by sten until" in story.page("/p/flights/data/data/flights.csv").lower()

    story.write(ROWS + "DL,12,2026-01-04\n")
    story.push("One more day")
    standing = story.dataset()["standing"]
    assert standing["word"] == "changed" and standing["certification"]["by"] == "sten"
    assert "changed since sten certified" in story.page("/p/flights/data/data/flights.csv")
    before = story.dataset(at="HEAD~2")
    assert (before["entry"]["md5"], before["standing"]["word"]) == (version, "certified")

    # The words at home, by path to the hub; then the same on the chain and after the index is made anew
    said = story.lockgate("data", "certify", "data/flights.csv", "--until", "2030-01-01", "--by", "ada")
    assert "certified by ada until 2030-01-01" in said
    assert "certified by ada until 2030-01-01" in story.lockgate("data", "show", "data/flights.csv")
    said = story.lockgate("data", "certify", "data/flights.csv", "--withdraw", "--words", "a day is doubled")
    assert "withdrawn" in said
    assert story.dataset()["standing"]["word"] == "withdrawn"
    log = story.lockgate("log", "-n", "3")
    assert "Certified until 2030-01-01: data/flights.csv" in log and "Certification withdrawn" in log


def test_what_lies_here_is_what_is_certified(story: Story) -> None:
    story.write(ROWS + "not pushed,1,2026-01-05\n")
    said = story.lockgate("data", "certify", "data/flights.csv", code=2)
    assert "another version on the hub" in said and "data-changed" in said


def test_the_chain_alone_brings_certifications_back(story: Story) -> None:
    before = story.dataset()["certifications"]
    assert len(before) == 3
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            reindex(story.site.hub)
            break
        except UserError as error:
            assert error.code == "dispatcher-running" and time.monotonic() < end, error
            time.sleep(0.5)
    with closing(Index(story.site.hub.index, is_read_only=True)) as index:
        again = [msgspec.to_builtins(each) for each in index.certifications("flights")]
    assert again == [{key: value for key, value in each.items() if value} for each in before]


def test_a_certification_may_not_come_from_another_site(story: Story) -> None:
    with story.ask("sten") as client:
        headers = {"authorization": "", "origin": "https://elsewhere.example"}
        answer = client.post("/p/flights/certify", data={"path": "data/flights.csv"}, headers=headers)
    assert answer.status_code in (401, 403)


@pytest.mark.parametrize("at", ["nothing", "a\0b", "--all", "main:airports.csv", "x" * 900])
def test_a_revision_that_is_none_is_told(story: Story, at: str) -> None:
    with story.ask("vera") as client:
        answer = client.get(DATASET, params={"path": "airports.csv", "at": at})
    assert answer.json()["error"]["code"] == "revision-unknown"


def test_another_projects_bytes_are_not_shown(story: Story, tmp_path: Path) -> None:
    md5 = story.dataset()["entry"]["md5"]
    pointer = f"outs:\n- md5: {md5}\n  size: 1\n  hash: md5\n  path: stolen.csv\n"
    story.site.project("thief", {"stolen.csv.dvc": pointer, "lockgate.toml": ""}, has_run=False)
    token = story.site.member("eve", "lead", project="thief")
    with story.site.client(headers={"authorization": f"Bearer {token}"}) as client:
        found = client.get("/api/v1/projects/thief/dataset", params={"path": "stolen.csv"}).json()
    assert found["entry"]["md5"] == md5 and found["profile"] is None
