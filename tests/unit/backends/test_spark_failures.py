"""Why drivers failed, from what real ones printed (stack frames left out)."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.spark.drivers import driver_limit, explained
from lockgate.backends.spark.eventlog import EVENTS, EventLog
from lockgate.backends.spark.failures import reason
from lockgate.runs.job import ExitRecord

PRINTED = Path(__file__).parents[2] / "golden/spark/failures"

WORDS = {
    "class-missing": "class org.example.Nope is not found",
    "cluster-mode": "a standalone cluster runs no python driver",
    "driver-oom": "Java ran out of memory (Java heap space)",
    "executor-killed": "an executor was killed (exit code 137)",
    "jar-class": "class org.example.Main is not in the application's jar",
    "java-missing": "Java is not there",
    "java-none": "Java is not there",
    "master-unreachable": "the Spark master does not answer",
    "python-missing": "workers do not find /nope/bin/python",
    "result-large": "larger than spark.driver.maxResultSize",
    "source-missing": "the data source nope is not found",
    "submit-missing": "spark-submit is not there",
    "task-raises": None,
}


@pytest.mark.parametrize("file", sorted(PRINTED.glob("*.txt")), ids=lambda path: path.stem)
def test_what_drivers_print(file: Path) -> None:
    words = WORDS[file.stem.rpartition("-")[0]]
    found = reason(file.read_text())
    assert found == words if words is None else found is not None and words in found
    assert found is None or "\n" not in found


def test_every_cause_has_been_seen() -> None:
    assert {file.stem.rpartition("-")[0] for file in PRINTED.glob("*.txt")} == set(WORDS)


# Messages of Spark's sources, of what cannot be brought about on one host: Client.scala (YARN),
# worker.py, DAGScheduler.scala, Utils.scala of 3.5 and 4.0.
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "Container killed by YARN for exceeding physical memory limits. 4.5 GB of 4.5 GB",
            "raise executor_memory",
        ),
        (
            "Python in worker has different version: 3.10 than that in driver: 3.11",
            "different versions of Python",
        ),
        ("[PYTHON_VERSION_MISMATCH] Python in worker has different version", "different versions of Python"),
        (
            "Mkdirs failed to create file:/hub/j/workspace/out/_temporary/0",
            "could not write /hub/j/workspace/out",
        ),
        (
            "java.io.FileNotFoundException: File file:/hub/j/workspace/in does not exist",
            "/hub/j/workspace/in is not",
        ),
        ("[unresolved dependency: org.x#y;1.0: not found]", "could not be downloaded"),
        ("java.lang.UnsupportedClassVersionError: org/apache/spark/launcher/Main", "Java is too old"),
        ("Service 'sparkDriver' could not bind on a random free port.", "could not open a port"),
        (
            "ExecutorLostFailure (executor 1 exited) Reason: Remote RPC client disassociated.",
            "Remote RPC client",
        ),
        (
            "ERROR X: Application has been killed. Reason: Master removed our application: FAILED",
            "Master removed",
        ),
        ("Exception: Could not parse Master URL: 'sparc://x'", "sparc://x is no Spark master"),
    ],
)
def test_what_sources_say(line: str, words: str) -> None:
    found = reason(f"before\n{line}\nafter\n")
    assert found is not None and words in found


@given(st.text())
def test_anything_may_be_printed(text: str) -> None:
    found = reason(text)
    assert found is None or "\n" not in found


def test_words_are_added_to_a_record_once(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_text("All masters are unresponsive! Giving up.\n")
    log = EventLog(str(tmp_path))
    failed = ExitRecord(code=1, started_at=1.0, ended_at=2.0)
    told = explained(str(tmp_path), failed, log)
    assert told.code == 1 and told.detail and "does not answer" in told.detail
    assert explained(str(tmp_path), told, log) == told
    fine = ExitRecord(code=0)
    assert explained(str(tmp_path), fine, log) is fine


def test_a_driver_too_large_is_no_stage_too_large(tmp_path: Path) -> None:
    killed = ExitRecord(code=1, cause="memory", detail="killed at 2.0 GB, asked for 1.9 GB")
    told = explained(str(tmp_path), killed, EventLog(str(tmp_path)))
    assert (told.cause, told.signal) == (None, 9)
    assert told.detail and "the driver was killed at 2.0 GB" in told.detail and "driver_memory" in told.detail
    assert explained(str(tmp_path), told, EventLog(str(tmp_path))) == told


def test_a_walltime_spent_waiting_is_told(tmp_path: Path) -> None:
    (tmp_path / EVENTS).mkdir(parents=True)
    stage = {"Stage ID": 0, "Stage Attempt ID": 0, "Number of Tasks": 1}
    start = {"Event": "SparkListenerJobStart", "Job ID": 0, "Stage Infos": [stage]}
    (tmp_path / EVENTS / "app-1.inprogress").write_bytes(msgspec.json.encode(start) + b"\n")
    killed = ExitRecord(cause="walltime", detail="killed after 1 min, the walltime asked for")
    told = explained(str(tmp_path), killed, EventLog(str(tmp_path)))
    assert told.detail == "killed after 1 min, the walltime asked for; it never got an executor"
    assert explained(str(tmp_path), told, EventLog(str(tmp_path))) == told


def test_a_driver_may_hold_more_than_its_heap() -> None:
    assert driver_limit(1 << 30) == (1 << 30) + (1 << 30) * 2 // 5
    assert driver_limit(1 << 20) == (1 << 20) + (384 << 20)
