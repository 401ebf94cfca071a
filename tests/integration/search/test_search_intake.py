"""Chain and queue become rows: step by step, once, from wherever it was left."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from recorded_runs import Recorder, measured
from sqlalchemy import func, select

from lockgate.activity import chain
from lockgate.cli.hub_reindex import command
from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.hub.search import intake as intake_module
from lockgate.hub.search import tables
from lockgate.hub.search.database import Database, open_database
from lockgate.hub.search.feed import entries_of_run, feed, find_entry
from lockgate.hub.search.intake import Intake
from lockgate.hub.search.runs_table import list_columns, list_runs

Begin = Callable[[str], Recorder]


def counts(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables.METADATA.sorted_tables
        }


def test_what_a_chain_tells_is_found(recorder: Begin, intake: Intake, database: Database) -> None:
    flights = recorder("flights")
    run = flights.run(
        {
            "metrics.json": ("metrics", b'{"accuracy": 0.93, "note": "good", "ok": true}'),
            "plot.png": ("figure", b"PNG"),
            "table.csv": ("table", b"a,b\n1,2\n"),
        },
        {"depth": 8, "rate": 0.1, "kind": "tree", "fast": True},
        logs={"train": "epoch 1\n"},
        asked={"seed": "007"},
    )
    assert intake.sync()
    (row,) = list_runs(database, ["flights"]).rows
    assert (row.id, row.project, row.state, row.where, row.member) == (
        run,
        "flights",
        "succeeded",
        "main",
        "ada",
    )
    assert row.metrics == {
        "metrics.json:accuracy": 0.93, "metrics.json:note": "good", "metrics.json:ok": "true",
    }  # fmt: skip
    assert row.params == {"depth": 8.0, "rate": 0.1, "kind": "tree", "fast": "true", "seed": "007"}
    assert row.seconds == 30.0
    page = feed(database, ["flights"])
    assert [entry.kind for entry in page.entries] == ["run.finished", "run.queued", "project.added"]
    detail = page.entries[0].detail
    assert (detail.outcome, detail.states, detail.logs) == (
        "succeeded",
        {"succeeded": 1},
        ("logs/0000-train.txt",),
    )
    assert [figure.path for figure in detail.figures] == ["plot.png"]
    assert [table.path for table in detail.tables] == ["table.csv"]
    assert detail.metrics["metrics.json:accuracy"] == 0.93
    assert [entry.kind for entry in entries_of_run(database, "flights", run)] == [
        "run.queued",
        "run.finished",
    ]
    assert find_entry(database, "flights", page.entries[0].id) == page.entries[0]


def test_nothing_new_is_no_news_and_costs_little(recorder: Begin, intake: Intake, hub: Hub) -> None:
    for name in ("one", "two", "three"):
        recorder(name).run()
    Index(hub.index).close()
    assert intake.sync()
    assert not intake.sync()
    took = []
    for _ in range(200):
        start = time.perf_counter()
        assert not intake.sync()
        took.append(time.perf_counter() - start)
    assert sorted(took)[100] < 0.001


def test_what_comes_later_is_added(recorder: Begin, intake: Intake, database: Database) -> None:
    flights = recorder("flights")
    first = flights.run(measured(accuracy=0.5))
    intake.sync()
    second = flights.run(measured(accuracy=0.6))
    assert intake.sync_project("flights")
    assert not intake.sync_project("flights")
    assert [row.id for row in list_runs(database, ["flights"]).rows] == [second, first]


def test_an_index_built_step_by_step_is_the_one_built_at_once(
    recorder: Begin, intake: Intake, hub: Hub, database: Database
) -> None:
    flights = recorder("flights")
    for number in range(5):
        flights.run(measured(accuracy=number / 10), {"depth": number})
        intake.sync()
    before = counts(database), list_runs(database, ["flights"]), feed(database, ["flights"])
    intake.rebuild()
    after = counts(database), list_runs(database, ["flights"]), feed(database, ["flights"])
    assert before == after
    Intake(hub, database).sync()
    assert counts(database) == after[0]


def test_two_at_once(recorder: Begin, hub: Hub, url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "STRETCH", 3)
    flights = recorder("flights")
    for number in range(12):
        flights.run(measured(accuracy=number))
    databases = [open_database(hub, url) for _ in range(3)]
    failures: list[BaseException] = []

    def work(database: Database) -> None:
        try:
            Intake(hub, database).sync()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    found = counts(databases[0])
    assert (found["runs"], found["activities"], found["run_values"]) == (12, 25, 12)
    for database in databases:
        database.close()


def test_killed_anywhere_it_goes_on(
    recorder: Begin, intake: Intake, hub: Hub, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    flights = recorder("flights")
    for number in range(10):
        flights.run(measured(accuracy=number), {"depth": number})
    whole = open_database(hub, f"sqlite:///{hub.root}/whole.sqlite")
    Intake(hub, whole).sync()
    monkeypatch.setattr(intake_module, "STRETCH", 4)
    for name in ("put_entries", "set_mark", "mark_of"):
        original = getattr(intake_module, name)
        calls = iter((False, True, False, True))

        def dying(*words: object, real: Callable[..., object] = original, calls: object = calls) -> object:
            found = real(*words)
            if next(calls, False):  # type: ignore[call-overload]
                raise Killed
            return found

        monkeypatch.setattr(intake_module, name, dying)
        for _ in range(2):
            with pytest.raises(Killed):
                Intake(hub, database).sync()
        monkeypatch.setattr(intake_module, name, original)
        with database.write() as connection:
            reached = connection.execute(select(tables.projects.c.tip)).scalar()
            if name == "mark_of":
                assert reached is not None
    Intake(hub, database).sync()
    assert counts(database) == counts(whole)
    assert list_runs(database, ["flights"]) == list_runs(whole, ["flights"])
    whole.close()


def test_a_chain_that_was_rewritten_is_taken_in_anew(
    recorder: Begin, intake: Intake, database: Database
) -> None:
    flights = recorder("flights")
    kept = flights.run(measured(accuracy=1))
    middle = git(flights.path, "rev-parse", chain.REF).decode().strip()
    flights.run(measured(accuracy=2, gone=1))
    intake.sync()
    git(flights.path, "update-ref", chain.REF, middle)
    assert intake.sync()
    assert [row.id for row in list_runs(database, ["flights"]).rows] == [kept]
    other = flights.run(measured(accuracy=3))
    intake.sync()
    git(flights.path, "update-ref", chain.REF, middle)
    last = flights.run(measured(accuracy=4))
    assert intake.sync()
    assert [row.id for row in list_runs(database, ["flights"]).rows] == [last, kept]
    assert other not in {entry.run for entry in feed(database, ["flights"]).entries}


def test_a_project_that_went_away_is_forgotten(
    recorder: Begin, intake: Intake, hub: Hub, database: Database
) -> None:
    recorder("one").run(measured(accuracy=1), {"depth": 1})
    two = recorder("two")
    two.run(measured(accuracy=2), {"depth": 2, "secret": 3})
    intake.sync()
    assert counts(database)["names"] == 3
    shutil.rmtree(two.path)
    assert intake.sync()
    found = counts(database)
    assert (found["projects"], found["runs"], found["names"], found["run_values"]) == (1, 1, 2, 2)
    assert {column.name for column in list_columns(database, ["one", "two"])} >= {"depth"}
    assert "secret" not in {column.name for column in list_columns(database, ["one", "two"])}
    shutil.rmtree(hub.repository("one"))
    assert Intake(hub, database).sync()
    found = counts(database)
    assert (found["projects"], found["names"], found["project_names"]) == (0, 0, 0)


def test_packed_refs_are_read(recorder: Begin, intake: Intake, database: Database) -> None:
    flights = recorder("flights")
    flights.run()
    git(flights.path, "pack-refs", "--all")
    assert intake.sync()
    assert not intake.sync()
    flights.run()
    assert intake.sync()
    assert len(list_runs(database, ["flights"]).rows) == 2


def test_an_entry_that_cannot_be_read_is_told_of_and_left_out(
    recorder: Begin, intake: Intake, database: Database
) -> None:
    flights = recorder("flights")
    flights.run()
    flights.activity("run.finished", "Not really", evidence={"what": "ever"})
    last = flights.run()
    intake.sync()
    assert "flights: entry" in intake.problems["flights"][0]
    assert list_runs(database, ["flights"]).rows[0].id == last
    flights.run()
    intake.sync()
    assert not intake.problems


def test_runs_that_have_not_ended_are_there_and_change(
    recorder: Begin, intake: Intake, hub: Hub, database: Database
) -> None:
    flights = recorder("flights")
    index = Index(hub.index)

    def request(run: str, **named: object) -> Request:
        return Request(
            id=run,
            project="flights",
            ref="refs/heads/exp",
            commit="c" * 40,
            member="bo",
            **named,  # type: ignore[arg-type]
        )

    index.add_run(request("R1", params={"depth": "4"}), "queued", 1_000.0)
    index.add_run(request("R2"), "received", 1_001.0)
    assert intake.sync()
    (row,) = list_runs(database, ["flights"]).rows
    assert (row.id, row.state, row.where, row.params, row.seconds) == (
        "R1",
        "queued",
        "exp",
        {"depth": "4"},
        None,
    )
    index.set_run("R1", "running", started_at=1_002.0)
    assert intake.sync()
    assert [row.state for row in list_runs(database, ["flights"], "state = running").rows] == ["running"]
    assert not intake.sync()
    index.set_waiting("R1", [("train", "40 %")])
    assert not intake.sync()
    index.set_run("R1", "failed", ended_at=1_010.0, cause="no room")
    assert intake.sync()
    (row,) = list_runs(database, ["flights"]).rows
    assert (row.state, row.seconds, row.cause) == ("failed", 10.0, "no room")
    index.queue_run("R2")
    index.set_run("R2", "running")
    intake.sync()
    assert {row.state for row in list_runs(database, ["flights"]).rows} == {"failed", "running"}
    git(flights.path, "update-ref", "-d", chain.REF)
    intake.sync()
    assert {row.id for row in list_runs(database, ["flights"]).rows} == {"R2"}
    index.close()


def test_an_end_on_the_chain_counts_more_than_a_queue_that_is_late(
    recorder: Begin, intake: Intake, hub: Hub, database: Database
) -> None:
    flights = recorder("flights")
    run = flights.run(measured(accuracy=1))
    index = Index(hub.index)
    index.add_run(
        Request(id=run, project="flights", ref="refs/heads/main", commit="c", member="ada"), "running", 1.0
    )
    intake.sync()
    (row,) = list_runs(database, ["flights"]).rows
    assert (row.state, row.metrics) == ("succeeded", {"out/metrics.json:accuracy": 1.0})
    index.close()


def test_words_no_database_takes_are_taken(recorder: Begin, intake: Intake, database: Database) -> None:
    flights = recorder("flights")
    flights.run(
        {"m.json": ("metrics", b'{"a\\u0000b": 1, "huge": 1e400, "nan": NaN, "int": 1234567890123456789}')},
        {"a\0b": "x\0y", "big": 10**400, "exact": 2**53 + 1, "empty": ""},
    )  # fmt: skip
    flights.activity("member.invited", "Nul \0 and \u202e", by="o'neill\0")
    intake.sync()
    assert not intake.problems
    (row,) = list_runs(database, ["flights"]).rows
    assert row.params["ab"] == "xy" and row.params["exact"] == str(2**53 + 1) and row.params["empty"] == ""
    assert row.metrics["m.json:nan"] == "nan"
    assert feed(database, ["flights"], by="o'neill").entries[0].kind == "member.invited"


def test_reindex_builds_it_anew_where_there_is_one(
    recorder: Begin,
    intake: Intake,
    hub: Hub,
    database: Database,
    url: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flights = recorder("flights")
    run = flights.run(measured(accuracy=1))
    intake.sync()
    with database.write() as connection:
        connection.execute(tables.runs.delete())
    if url is not None:
        monkeypatch.setenv("LOCKGATE_DATABASE_URL", url)
    said = CliRunner().invoke(command, ["--hub", str(hub.root)], catch_exceptions=False)
    assert said.exit_code == 0 and "the search index was built anew" in said.output
    assert [row.id for row in list_runs(database, ["flights"]).rows] == [run]


def test_reindex_makes_none(hub: Hub, recorder: Begin) -> None:
    recorder("flights").run()
    said = CliRunner().invoke(command, ["--hub", str(hub.root)], catch_exceptions=False)
    assert said.exit_code == 0 and "search" not in said.output
    assert not (hub.root / "search.sqlite").exists()
