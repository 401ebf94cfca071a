"""The index: what was written is found, by many at once, and what is broken is told."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from lockgate.data.acceptance import Acceptance
from lockgate.data.certification import Certification
from lockgate.errors import OutsideError
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Proof, Request
from lockgate.hub.indexing.tables import FORMAT
from lockgate.runs.cost import KEPT, Cost
from lockgate.runs.job import ExitRecord
from lockgate.runs.observation import Observation, Use
from lockgate.runs.reason import Failure
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.run import (
    CancelRequested,
    Decision,
    Event,
    JobCollected,
    JobEnded,
    JobFailed,
    JobRefused,
    JobStarted,
    JobStatus,
    Planned,
    PreparationFailed,
    PrepareStarted,
    Recorded,
    Resolved,
)
from lockgate.verify.report import Verification

AT = 1_770_000_000.5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
def index(path: Path) -> Iterator[Index]:
    index = Index(path)
    yield index
    index.close()


def request(run: str, project: str = "p", **more: object) -> Request:
    values: dict[str, object] = {"ref": "refs/heads/main", "commit": "c" * 40, "member": "ana", **more}
    return Request(id=run, project=project, **values)  # type: ignore[arg-type]


def record(stage: str, fingerprint: str, run: str = "R") -> StageRecord:
    return StageRecord(
        stage=stage,
        fingerprint=fingerprint,
        run=run,
        commit="c",
        member="ana",
        ended_at="2026-01-01T00:00:00Z",
        command="x",
        runtime="r",
        params={"depth": 4, "rate": 1.0, "fast": True},
        artifacts=(Artifact(path="a", size_bytes=1, md5="d"),),
    )


def test_a_runs_life(index: Index) -> None:
    asked = request("R1", params={"a": "1"}, only=("x",), force=("y",), backend="slurm")
    index.add_run(asked, "received", AT, ("line one", "line two"))
    index.add_run(request("R1", member="ben"), "queued", AT + 9)
    row = index.run("R1")
    assert row is not None
    assert (row.request, row.state, row.created_at, row.receipt) == (
        asked, "received", AT, ("line one", "line two"),
    )  # fmt: skip
    assert index.has_run("R1") and not index.has_run("R2")
    assert [found.request.id for found in index.received("p")] == ["R1"]
    assert index.received("other") == []
    assert index.queue_run("R1")
    assert not index.queue_run("R1")
    index.drop_received("R1")
    index.set_run("R1", "running", started_at=AT + 1)
    index.set_run("R1", "running", started_at=AT + 5)
    assert [found.request.id for found in index.unfinished()] == ["R1"]
    assert index.request_cancel("R1", "ben")
    index.set_run("R1", "failed", ended_at=AT + 7, cause="why", result_commit="d", has_moved_branch=True)
    row = index.run("R1")
    assert row is not None
    assert (row.state, row.started_at, row.ended_at, row.cause) == ("failed", AT + 1, AT + 7, "why")
    assert (row.result_commit, row.has_moved_branch, row.cancelled_by) == ("d", True, "ben")
    assert not index.request_cancel("R1", "ana")
    assert not index.request_cancel("R9", "ana")
    assert index.unfinished() == []


def test_a_push_that_did_not_go_through_is_forgotten(index: Index) -> None:
    index.add_run(request("R1"), "received", AT)
    index.drop_received("R1")
    assert index.run("R1") is None


def test_runs_are_listed_newest_first(index: Index) -> None:
    for number in range(5):
        index.add_run(request(f"R{number}", "odd" if number % 2 else "even"), "queued", AT)
    assert [row.request.id for row in index.runs(None, 3)] == ["R4", "R3", "R2"]
    assert [row.request.id for row in index.runs("odd", 9)] == ["R3", "R1"]
    assert [row.request.id for row in index.runs_ending_in("even", "2")] == ["R2"]
    assert index.runs_ending_in("odd", "2") == []
    assert [row.request.id for row in index.runs_ending_in(None, "R2")] == ["R2"]
    assert [row.request.id for row in index.unfinished()] == ["R0", "R1", "R2", "R3", "R4"]


def test_jobs(index: Index) -> None:
    index.add_jobs("R", [("b", "never run"), ("a", "after b")])
    index.set_jobs(
        "R", [("a", JobStatus("blocked", cause="b failed")), ("b", JobStatus("cached", reused_from="O"))]
    )
    index.set_job_times("R", "b", AT, AT + 2, 1000)
    index.set_job_times("R", "b", None, AT + 3, 2000)
    index.set_reason("R", "a", "code changed: a.py")
    b, a = index.jobs("R")
    assert (b.stage, b.state, b.reused_from, b.started_at, b.ended_at) == ("b", "cached", "O", AT, AT + 3)
    assert (a.stage, a.state, a.cause, a.reason) == ("a", "blocked", "b failed", "code changed: a.py")
    assert b.peak_memory_bytes == 2000
    assert index.jobs("other") == []


EVENTS: list[Event] = [
    PrepareStarted(),
    PreparationFailed("é"),
    Planned({"a": (), "b": ("a",)}, (Decision("a", "f"), Decision("b", "g", "OLD"))),
    Resolved(Decision("a", "f")),
    JobRefused("a", "too large"),
    JobStarted("a", "17"),
    JobEnded("a", ExitRecord(code=None, signal=9, cause="memory", detail="x", started_at=AT, cpu_time_s=0.1)),
    JobCollected("a"),
    JobFailed("a", "x"),
    CancelRequested("ana"),
    Recorded(None, False),
]


def test_words_on_a_job_are_of_its_state(index: Index) -> None:
    index.add_jobs("R", [("a", "never run"), ("b", "never run")])
    index.set_jobs("R", [("a", JobStatus("submitted")), ("b", JobStatus("running"))])
    index.set_waiting("R", [("a", "waits for a cpu"), ("b", "stage 1 of 2")])
    a, b = index.jobs("R")
    assert (a.waits_for, a.progress) == ("waits for a cpu", None)
    assert (b.waits_for, b.progress) == (None, "stage 1 of 2")
    assert index.progress("R") == {"b": "stage 1 of 2"}
    index.set_jobs("R", [("a", JobStatus("running")), ("b", JobStatus("collecting"))])
    assert index.progress("R") == {}
    assert [(row.waits_for, row.progress) for row in index.jobs("R")] == [(None, None)] * 2


def test_every_event_comes_back(index: Index) -> None:
    for number, event in enumerate(EVENTS):
        index.add_event("R", number, event, AT + number)
    assert index.events("R") == [(number, AT + number, event) for number, event in enumerate(EVENTS)]
    assert [sequence for sequence, _, _ in index.events("R", 8)] == [9, 10]
    assert index.events("other") == []


def test_results_the_newest_counts(index: Index) -> None:
    index.add_results("p", [record("a", "f1"), record("b", "f2")])
    index.add_results("p", [record("a", "f3", "R2")])
    assert index.find_result("p", "f1") == record("a", "f1")
    assert index.find_result("p", "f9") is index.find_result("q", "f1") is None
    assert index.newest_result("p", "a") == record("a", "f3", "R2")
    index.add_results("p", [record("a", "f1", "R3")])
    assert index.newest_result("p", "a") == index.find_result("p", "f1") == record("a", "f1", "R3")
    assert index.newest_result("p", "c") is None


def test_a_transaction_is_all_or_nothing(index: Index, path: Path) -> None:
    with pytest.raises(KeyError), index.transaction():
        index.add_run(request("R1"), "queued", AT)
        raise KeyError
    assert index.run("R1") is None
    with index.transaction():
        index.add_run(request("R1"), "queued", AT)
        other = Index(path)
        assert other.run("R1") is None
        other.close()
    assert index.run("R1") is not None


def test_others_changes_are_seen(index: Index, path: Path) -> None:
    before = index.changes_seen()
    assert index.changes_seen() == before
    other = Index(path)
    other.add_run(request("R1"), "queued", AT)
    assert index.changes_seen() != before
    other.close()


# Many at once


def write_much(path: Path, number: int, start: float) -> None:
    index = Index(path)
    for count in range(20):
        run = f"R{number}-{count}"
        with index.transaction():
            index.add_run(request(run), "queued", start)
            index.add_event(run, 0, PrepareStarted(), start)
        index.add_event(run, 1, CancelRequested("ana"), start)
        assert index.run(run) is not None
    index.close()


def test_eight_processes_lose_nothing(path: Path) -> None:
    """Also on an index that is not there yet: one of them makes it."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_much, args=(path, number, AT)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 8
    index = Index(path, is_read_only=True)
    rows = index.runs(None, 1000)
    assert {row.request.id for row in rows} == {f"R{n}-{c}" for n in range(8) for c in range(20)}
    assert sorted(row.number for row in rows) == list(range(1, 161))
    assert all(len(index.events(row.request.id)) == 2 for row in rows)
    assert index.check() is None
    index.close()


# What is broken


def use(path: Path, *, is_read_only: bool = False) -> None:
    index = Index(path, is_read_only=is_read_only)
    try:
        index.runs(None, 10)
        index.add_run(request("R"), "queued", AT)
    finally:
        index.close()


def fill(path: Path) -> None:
    index = Index(path)
    for number in range(200):
        index.add_run(request(f"R{number}"), "queued", AT)
    index.close()


def cut(path: Path) -> None:
    fill(path)
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def scribble(path: Path) -> None:
    fill(path)
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


def spoil_event(path: Path) -> None:
    fill(path)
    with sqlite3.connect(path) as sql:
        sql.execute("update runs set request = x'c1'")
    sql.close()


@pytest.mark.parametrize("is_read_only", [False, True])
@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(b"no database " * 1000), cut, scribble, spoil_event]
)
def test_a_damaged_file_is_told(path: Path, damage: Callable[[Path], object], is_read_only: bool) -> None:
    damage(path)
    with pytest.raises(OutsideError) as caught:
        use(path, is_read_only=is_read_only)
    assert caught.value.code == "index-damaged"
    assert not caught.value.is_transient
    assert "lockgate hub reindex" in caught.value.hint


@pytest.mark.parametrize("is_read_only", [False, True])
def test_a_newer_format_is_told(path: Path, is_read_only: bool) -> None:
    fill(path)
    with sqlite3.connect(path) as sql:
        sql.execute(f"pragma user_version = {FORMAT + 1}")
    sql.close()
    told = f"has format {FORMAT + 1}; this Lockgate knows format {FORMAT}"
    with pytest.raises(OutsideError, match=told) as caught:
        use(path, is_read_only=is_read_only)
    assert caught.value.code == "index-damaged"


@pytest.mark.parametrize("is_read_only", [False, True])
def test_an_index_of_the_first_format_is_brought_to_this_one(path: Path, is_read_only: bool) -> None:
    fill(path)
    with sqlite3.connect(path) as sql:
        sql.execute("drop table costs")
        sql.execute("drop table verifications")
        sql.execute("drop table certifications")
        sql.execute("drop table acceptances")
        sql.execute("drop table observations")
        sql.execute("pragma user_version = 1")
    sql.close()
    Index(path, is_read_only=is_read_only).close()
    index = Index(path)
    index.add_costs("p", [Cost("s", "R")])
    assert index.costs("p", ["s"]) == {"s": (Cost("s", "R"),)}
    found = Verification(run="R", by_run="V", verdict="identical")
    index.add_verification("p", found)
    assert index.verifications("p", "R") == [found]
    said = Certification(path="a", content="c", commit="d", by="ada", at="2026-11-26T00:00:00Z", entry="e")
    index.add_certification("p", said)
    index.add_certification("p", said)
    drift = Acceptance(
        path="a", run="R", report="r", replaces="o", drift={"n": 1.0}, words="w", by="ada", at="", entry="e"
    )
    index.add_acceptance("p", drift)
    index.add_acceptance("p", drift)
    assert index.acceptances("p", "a") == [drift] and index.acceptances("p", "b") == []
    assert index.certifications("p", "a") == [said] and index.certifications("p", "b") == []
    index.close()


def test_what_stages_used_is_kept_by_run_the_newest_attempt_counts(index: Index) -> None:
    seen = Observation(undeclared=(Use("/data/x", "read"),), read=("a",), software_count=3)
    index.add_observations("R", {"s": Observation(fault="lost"), "t": Observation()})
    index.add_observations("R", {"s": seen})
    assert index.observations("R") == {"s": seen, "t": Observation()}
    assert index.observations("other") == {}


def test_the_latest_costs_are_kept_of_each_stage_and_each_matrix(index: Index) -> None:
    for number in range(KEPT + 3):
        index.add_costs("p", [Cost(f"s@n={number % 2}", f"R{number}", seconds=float(number)), Cost("t", "R")])
    found = index.costs("p", ["s@n=0", "s@", "t", "unknown", 'odd "name"\n'])
    assert found.keys() == {"s@n=0", "s@", "t"}
    assert [cost.seconds for cost in found["s@"]] == [float(n) for n in range(KEPT + 2, 2, -1)]
    assert {cost.stage for cost in found["s@n=0"]} == {"s@n=0"}
    assert found["t"] == (Cost("t", "R"),)
    assert index.costs("other", ["t"]) == {}
    assert index.costs("p", []) == {}


def test_what_a_result_cost_is_kept_with_it(index: Index) -> None:
    made = msgspec.structs.replace(record("s", "f"), duration_s=2.5, peak_memory_bytes=7)
    index.add_results("p", [made])
    index.add_results("p", [made])
    assert index.costs("p", ["s"]) == {"s": (Cost("s", "R", seconds=2.5, peak_memory_bytes=7),)}


def test_a_reader_of_an_empty_file_finds_nothing(path: Path) -> None:
    """One that was killed before it made the tables left this."""
    path.touch()
    index = Index(path, is_read_only=True)
    assert index.runs(None, 10) == []
    index.close()


def test_a_path_that_cannot_be_an_index_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "gone" / "index.sqlite", tmp_path):
        with pytest.raises(OutsideError, match="cannot be used") as caught:
            use(path)
        assert caught.value.code == "index-unavailable"
        assert caught.value.is_transient


def test_a_folder_that_may_not_be_written_is_told() -> None:
    """Root may write everywhere: it takes another name for the while."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65_534)
        try:
            with pytest.raises(OutsideError) as caught:
                use(folder / "index.sqlite")
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)
    assert caught.value.code == "index-unavailable"
    assert "rights" in caught.value.hint


def test_a_full_disk_is_told_and_the_index_goes_on(index: Index) -> None:
    index._sql.execute(f"pragma max_page_count = {index._sql.execute('pragma page_count').fetchone()[0] + 2}")
    with pytest.raises(OutsideError, match="full") as caught, index.transaction():
        for number in range(1000):
            index.add_run(request(f"R{number}"), "queued", AT)
    assert (caught.value.code, caught.value.is_transient) == ("index-unavailable", True)
    assert index.runs(None, 10) == []
    index._sql.execute("pragma max_page_count = 100000")
    with index.transaction():
        index.add_run(request("R"), "queued", AT)
    assert index.has_run("R")


def test_readers_do_not_write(path: Path) -> None:
    fill(path)
    index = Index(path, is_read_only=True)
    with pytest.raises(OutsideError, match="readonly"):
        index.add_run(request("R"), "queued", AT)
    index.close()


@pytest.mark.parametrize("name", ["a b", "100%", "what?x=1", "#1", "é"])
def test_any_folder_may_hold_an_index(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    fill(tmp_path / name / "index.sqlite")
    index = Index(tmp_path / name / "index.sqlite", is_read_only=True)
    assert len(index.runs(None, 1000)) == 200
    index.close()


def test_how_stages_failed_of_late(index: Index) -> None:
    for run, proof in (("R1", None), ("R2", None), ("R3", Proof(run="R1"))):
        index.add_run(request(run, proof=proof), "running", AT)
        index.add_jobs(run, [("a", ""), ("b", ""), ("c", "")])
    index.add_run(request("R4", "other"), "running", AT)
    index.add_jobs("R4", [("b", "")])
    failed = JobStatus(state="failed", cause="exit code 1")
    index.set_jobs("R1", [("a", failed), ("b", failed), ("c", JobStatus(state="succeeded"))])
    index.set_jobs("R2", [("a", JobStatus(state="succeeded")), ("c", JobStatus(state="blocked"))])
    index.set_jobs("R3", [("c", failed)])
    index.set_jobs("R4", [("b", failed)])
    assert index.latest_failures("p") == {"b": Failure("R1", "exit code 1")}
    assert index.latest_failures("p", runs=2) == {}
