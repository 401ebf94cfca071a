"""How far a Spark application has come, from event logs that Spark wrote."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.spark.eventlog import EVENTS, EventLog
from lockgate.backends.spark.tally import Tally

GOLDEN = Path(__file__).parents[2] / "golden/spark"
LOGS = sorted(GOLDEN.glob("events-*.jsonl"))


def event(kind: str, **fields: object) -> bytes:
    return json.dumps({"Event": f"SparkListener{kind}", **fields}, separators=(",", ":")).encode()


def stage(number: int, tasks: int, **more: object) -> dict[str, object]:
    return {"Stage ID": number, "Stage Attempt ID": 0, "Number of Tasks": tasks, **more}


def task_end(number: int, reason: str = "Success") -> bytes:
    return event(
        "TaskEnd",
        **{
            "Stage ID": number,
            "Stage Attempt ID": 0,
            "Task Type": "x",
            "Task End Reason": {"Reason": reason},
        },
    )


def added(*lines: bytes) -> Tally:
    tally = Tally()
    for line in lines:
        tally.add(line)
    return tally


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_a_log_that_spark_wrote(log: Path) -> None:
    tally, told = Tally(), []
    for line in log.read_bytes().split(b"\n"):
        tally.add(line)
        words = tally.words()
        if words is not None and words not in told:
            told.append(words)
    assert "\n".join(told) + "\n" == (GOLDEN / f"{log.stem}.said.txt").read_text()
    assert tally.has_ended and tally.application
    assert LOGS


def test_stages_tasks_and_failures() -> None:
    start = event("JobStart", **{"Job ID": 0, "Stage Infos": [stage(0, 3), stage(1, 2)]})
    here = event("ExecutorAdded", **{"Executor ID": "0"})
    tally = added(event("ApplicationStart", **{"App ID": "app-1"}), start)
    assert tally.application == "app-1"
    assert tally.words() == "waits for executors; 5 tasks to do"
    for line in (here, task_end(0), task_end(0, "ExceptionFailure"), task_end(0, "TaskKilled")):
        tally.add(line)
    assert tally.words() == "stage 1 of 2, 1 of 5 tasks, 1 failed"
    tally.add(event("StageCompleted", **{"Stage Info": stage(0, 3)}))
    assert tally.words() == "stage 2 of 2, 3 of 5 tasks, 1 failed"
    tally.add(
        event("ExecutorRemoved", **{"Executor ID": "0", "Removed Reason": "Command exited with code 137"})
    )
    assert tally.words() == "stage 2 of 2, 3 of 5 tasks, 1 failed, 1 executor lost, waits for executors"
    tally.add(event("JobEnd", **{"Job ID": 0, "Job Result": {"Result": "JobFailed"}}))
    assert tally.words() == "stage 1 of 1, 3 of 3 tasks, 1 failed, 1 executor lost"


def test_an_executor_that_was_given_back_is_not_lost() -> None:
    tally = added(
        event("ExecutorAdded", **{"Executor ID": "0"}),
        event("ExecutorRemoved", **{"Executor ID": "0", "Removed Reason": "Executor killed by driver."}),
    )
    assert tally.lost == []


@given(st.lists(st.binary(max_size=80)))
def test_anything_may_stand_in_a_log(lines: list[bytes]) -> None:
    tally = added(
        b'{"Event":"SparkListenerJobStart"}', b'{"Event":"SparkListenerTaskEnd","Stage ID":9', *lines
    )
    assert tally.words() is None


@given(st.lists(st.integers(1, 700), max_size=40))
def test_a_log_is_read_as_it_grows(sizes: list[int]) -> None:
    content = LOGS[0].read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder, EVENTS)
        events.mkdir(parents=True)
        log, at = EventLog(folder), 0
        assert log.look().words() is None
        growing = events / "app-1.inprogress"
        for size in [*sizes, len(content)]:
            with growing.open("ab") as file:
                file.write(content[at : at + size])
            at += size
            log.look()
        growing.rename(events / "app-1")
        last = (GOLDEN / f"{LOGS[0].stem}.said.txt").read_text().splitlines()[-1]
        assert log.look().words() == last
        (events / "app-2.inprogress").write_bytes(b"")
        later = (events / "app-1").stat().st_mtime_ns + 1_000_000
        os.utime(events / "app-2.inprogress", ns=(later, later))
        assert log.look().words() is None
