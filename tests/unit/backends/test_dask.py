"""The settings of `[batch.dask]`, and a scheduler's states in words."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from lockgate.backends.dask import answers
from lockgate.backends.dask.answers import Report, Task
from lockgate.backends.dask.connection import shipped
from lockgate.backends.dask.options import Options, parse_options
from lockgate.backends.dask.system import resources_of
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"scheduler": "tcp://head.example.org:8786"},
        {"scheduler": "tls://[::1]:8786", "tls_ca": "/ca.pem", "tls_cert": "/c.pem", "tls_key": "/k.pem"},
        {"scheduler_file": "/shared/scheduler.json", "timeout": 60},
        {"workers": 2, "threads": 4, "memory": "16 GB"},
        {"scheduler": "head:8786", "resources": {"cpus": "cores"}},
    ],
)
def test_settings_it_takes(table: dict[str, object]) -> None:
    assert isinstance(parse_options(table), Options)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"schedular": "x"}, "unknown key 'schedular'; known are scheduler, scheduler_file"),
        ({"scheduler": 1}, "cannot be meant: Expected `str | null`, got `int`"),
        ({"scheduler": "head"}, 'write it as "tcp://HOST:8786"'),
        ({"scheduler": "h:1", "scheduler_file": "/f"}, "keep one of them"),
        ({"scheduler_file": "f.json"}, "write the whole path"),
        ({"scheduler": "h:1", "workers": 2}, "names a scheduler, so workers means nothing"),
        ({"tls_ca": "/ca.pem"}, "names no scheduler, so tls_ca means nothing"),
        ({"workers": 0}, "write a number from 1 to 1000"),
        ({"memory": "much"}, 'write it as "4 GB"'),
        ({"timeout": 0}, "write seconds from 1 to 600"),
        ({"resources": {"disk": "D"}}, "known there are cpus, gpus, memory"),
    ],
)
def test_settings_it_refuses(table: dict[str, object], words: str) -> None:
    said = parse_options(table)
    assert isinstance(said, str) and words in said, said


def test_what_a_job_takes_of_a_worker() -> None:
    job = Job("r", "s", "/f", Resources(cpus=2, gpus=1, memory_bytes=5))
    assert resources_of(job, Options(), []) == {"GPU": 1}
    assert resources_of(job, Options(), ["CPU", "MEMORY"]) == {"CPU": 2, "MEMORY": 5, "GPU": 1}
    assert resources_of(job, Options(resources={"cpus": "cores"}), ["CPU", "cores"]) == {"cores": 2, "GPU": 1}


def task(state: str, **changes: object) -> Task:
    values: dict[str, object] = {
        "worker": "w1",
        "address": "tcp://h:1",
        "deaths": 0,
        "is_executing": False,
        "error": "",
        "resources": {},
        **changes,
    }
    return Task(state=state, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        (task("queued"), "pending", "waits: all 4 threads are busy"),
        (task("processing"), "pending", "waits for its turn on worker w1"),
        (task("processing", is_executing=True), "running", ""),
        (task("no-worker", resources={"GPU": 1.0}), "pending", "waits: no worker declares GPU=1"),
        (task("waiting"), "pending", "waits for the scheduler to place it"),
        (task("memory"), "ended", ""),
        (task("strange"), "unknown", "Dask says 'strange' of it"),
    ],
)
def test_states_in_words(said: Task, state: str, words: str) -> None:
    seen = answers.seen(Report({"a": said}, 2, 4), "a")
    assert seen is not None and (seen.state, seen.reason) == (state, words)


def test_no_workers_and_no_task() -> None:
    report = Report({"a": task("no-worker", resources={"CPU": 1.0})}, 0, 0)
    seen = answers.seen(report, "a")
    assert seen is not None and seen.reason == "waits: the cluster has no workers"
    assert answers.seen(report, "b") is None


@pytest.mark.parametrize(
    ("error", "cause", "detail"),
    [
        ("RuntimeError('cancelled before it started')", "cancelled", "cancelled before it started"),
        ("RuntimeError(\"it ended\\non 'w'\")", "vanished", "Dask: it ended\\non 'w'"),
        ("KilledWorker('a', <WorkerState>, 3)", "vanished", "Dask: every worker it was given to died"),
        ("MemoryError()", "vanished", "Dask: MemoryError()"),
        ("", "vanished", "Dask: it failed without a word"),
    ],
)
def test_tasks_that_raised(error: str, cause: str, detail: str) -> None:
    seen = answers.seen(Report({"a": task("erred", error=error)}, 2, 4), "a")
    assert seen is not None and seen.exit is not None
    assert (seen.exit.cause, seen.exit.detail) == (cause, detail)


def test_a_worker_that_was_lost() -> None:
    assert not answers.has_lost_worker(task("processing"), None)
    assert not answers.has_lost_worker(task("processing"), "tcp://h:1")
    assert answers.has_lost_worker(task("processing"), "tcp://h:2")
    assert answers.has_lost_worker(task("no-worker", deaths=1), None)
    assert not answers.has_lost_worker(task("processing", deaths=1, is_executing=True), None)
    assert not answers.has_lost_worker(task("erred", deaths=1), "tcp://h:2")


def test_what_is_shipped_needs_no_lockgate() -> None:
    pickler = pytest.importorskip("distributed.protocol.pickle")
    for name in ("run_job", "end_jobs", "tell"):
        sent = pickler.dumps(shipped(name))
        assert b"lockgate.backends" not in sent
        assert pickle.loads(sent).__name__ == name


def test_the_client_library_is_imported_by_its_first_use_only() -> None:
    code = "import sys, lockgate.backends.dask.system; print('distributed' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"
