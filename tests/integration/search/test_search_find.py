"""One box: what is found, and that no question fails. The same on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from recorded_runs import Recorder, measured

from lockgate.hub.directory import create_hub
from lockgate.hub.search.database import Database, open_database
from lockgate.hub.search.feed import feed
from lockgate.hub.search.find import search
from lockgate.hub.search.intake import Intake

NOTEBOOK = {"cells": [{"cell_type": "code", "source": ["gradient = descend()\n", "plot(gradient)"]}]}


class Library(NamedTuple):
    database: Database
    runs: dict[str, str]
    recorder: Recorder
    intake: Intake


@pytest.fixture(scope="module", params=("sqlite", "postgresql"))
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = tmp_path_factory.mktemp("library")
    hub, _ = create_hub(root / "hub")
    flights, cars = Recorder(hub, "flights", root), Recorder(hub, "cars", root)
    flights.commit(
        {"train.py": "def fitForest(max_depth):\n    return Größe\n", "data.bin": b"\0\1"}, "First"
    )
    first = flights.run(measured(accuracy=0.9), {"depth": 4}, logs={"train": "epoch 1\nsegfault at 0x7f\n"})
    flights.commit(
        {"train.py": "def fitForest(max_depth):\n    return banana\n", "see.ipynb": json.dumps(NOTEBOOK),
         "日本語/東京タワー.txt": "住所は東京都です"},
        "Use fruit instead\n\nAs Zoë's review asked; see 'quoted' \"words\"",
    )  # fmt: skip
    second = flights.run(member="zoë", outcome="failed", cause="train: out of memory")
    cars.commit({"wheel.py": "banana = 1\n"}, "Wheels")
    third = cars.run()
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql").new_database()
    database = open_database(hub, url)
    intake = Intake(hub, database)
    intake.sync()
    assert not intake.problems
    yield Library(database, {"first": first, "second": second, "third": third}, flights, intake)
    database.close()


@pytest.mark.parametrize(
    ("question", "kind", "title"),
    [
        ("banana", "code", "train.py"),
        ("BANA", "code", "train.py"),
        ("forest", "code", "train.py"),
        ("max_depth", "code", "train.py"),
        ("grosse", "code", "train.py"),
        ("train.py", "code", "train.py"),
        ("descend gradient", "code", "see.ipynb"),
        ("東京", "code", "日本語/東京タワー.txt"),
        ("京都", "code", "日本語/東京タワー.txt"),
        ("data.bin", "code", "data.bin"),
        ("fruit instead", "commit", "Use fruit instead"),
        ("'quoted' \"words\"", "commit", "Use fruit instead"),
        ("zoe", "commit", "Use fruit instead"),
        ("SEGFAULT", "log", "Log of train"),
        ("accuracy", "run", None),
        ("depth", "run", None),
        ("out of memory", "run", None),
        ("ZOË", "run", None),
        ("2033-05-18", "run", None),
        ("May 2033", "run", None),
        ("added hub", "activity", "Project flights was added to the hub"),
    ],
)
def test_what_is_found(library: Library, question: str, kind: str, title: str | None) -> None:
    hits = search(library.database, ["flights"], question)
    mine = [hit for hit in hits if hit.kind == kind]
    assert mine, hits
    if title is not None:
        assert title in {hit.title for hit in mine}
    assert {hit.project for hit in hits} == {"flights"}


def test_of_a_files_states_the_newest_counts(library: Library) -> None:
    (hit,) = search(library.database, ["flights"], "fitForest", kind="code")
    assert (hit.path, hit.run, "fitForest" in hit.excerpt) == ("train.py", library.runs["second"], True)
    assert search(library.database, ["flights"], "banana return")[0].excerpt == "return banana"
    (older,) = search(library.database, ["flights"], "größe", kind="code")
    assert older.run == library.runs["first"]


def test_a_run_is_found_by_its_id(library: Library) -> None:
    assert {hit.run for hit in search(library.database, ["flights"], library.runs["first"])} == {
        library.runs["first"]
    }


@pytest.mark.parametrize(
    ("projects", "found"), [(["flights"], {"flights"}), (["cars"], {"cars"}), ([], set()), (["none"], set()),
                            (["cars", "flights"], {"cars", "flights"})],
)  # fmt: skip
def test_no_project_is_seen_from_another(library: Library, projects: list[str], found: set[str]) -> None:
    assert {hit.project for hit in search(library.database, projects, "banana")} == found


@pytest.mark.parametrize(
    "question",
    ["", " ", "'", '"', '""', "a AND", "NOT", "OR OR", "NEAR(", "*", "a*", "^a", "a:b", "-a", "(", ")",
     "\\", "%", "_", "&", "|", "!", "<->", ":*", "\0", "\ud800", "é", "\u0301", "🙂", "日", "ß", "İ", "½",
     "x" * 100_000, "a " * 50_000, "١٢٣", "ǅ", "§1", "{}", "words:a", "\u202e", "٣.٤", "ﬃ", "'; drop"],
)  # fmt: skip
def test_no_question_fails(library: Library, question: str) -> None:
    assert all(hit.project == "flights" for hit in search(library.database, ["flights"], question))


def test_a_limit_is_kept(library: Library) -> None:
    assert len(search(library.database, ["flights", "cars"], "run", limit=1)) == 1


def test_the_feed_tells_what_changed(library: Library) -> None:
    (_, entry) = feed(library.database, ["flights"], by="zoë").entries
    detail = entry.detail
    assert {(change.status, change.path) for change in detail.changes} >= {
        ("M", "train.py"),
        ("A", "see.ipynb"),
    }
    shown = {snippet.path: snippet.lines for snippet in detail.snippets}
    assert "-    return Größe" in shown["train.py"] and "+    return banana" in shown["train.py"]
    assert "+gradient = descend()" in shown["see.ipynb"]


def test_what_is_dropped_is_not_found_any_more(
    recorder: Callable[[str], Recorder], intake: Intake, database: Database
) -> None:
    import shutil

    one, two = recorder("one"), recorder("two")
    for each in (one, two):
        each.commit({"fruit.py": "banana größe 東京\n"})
        each.run()
    intake.sync()
    assert len(search(database, ["one", "two"], "banana")) == 2
    shutil.rmtree(one.path)
    intake.sync()
    assert [hit.project for hit in search(database, ["one", "two"], "banana")] == ["two"]
    intake.rebuild()
    assert [hit.project for hit in search(database, ["one", "two"], "東京")] == ["two"]
