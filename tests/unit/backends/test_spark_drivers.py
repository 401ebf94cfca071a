"""Drivers and spread jobs as their folders tell of them; no Spark is started here."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.backends import ledger
from lockgate.backends.contract import Ended, Started
from lockgate.backends.spark.application import ENDED, LOG, runtime_of
from lockgate.backends.spark.backend import SparkBackend
from lockgate.backends.spark.drivers import Drivers
from lockgate.backends.spark.spread import SpreadSystem
from lockgate.backends.system import Batch, Submitted
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job
from lockgate.runs.jobscript import APPLICATION_LINE, job_script
from lockgate.runs.workspace import lay_out


@pytest.fixture
def spark_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SPARK_HOME", "SPARK_CONF_DIR", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "spark home"
    for name in ("spark/bin/spark-submit", "java/bin/java"):
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text("#!/bin/sh\n")
        (home / name).chmod(0o755)
    return home


def table(home: Path, **more: object) -> dict[str, object]:
    return {"master": "spark://h:1", "spark_home": f"{home}/spark", "java_home": f"{home}/java"} | more


def laid_out(folder: Path, command: str, options: dict[str, object], **environment: str) -> Job:
    lay_out(folder, job_script(command, {"PATH": "/usr/bin:/bin", **environment}), ())
    return Job("01RUN", folder.name, os.fspath(folder), Resources(), options)


def until_ended(backend: Drivers, is_done: Callable[[], bool] = lambda: False) -> list[Started | Ended]:
    news: list[Started | Ended] = []
    ends_at = time.monotonic() + 30
    while not any(isinstance(each, Ended) for each in news) and not is_done():
        assert time.monotonic() < ends_at
        news += backend.poll()
        interval_s = backend.poll_interval_s()
        select.select(backend.wake_fds(), [], [], 0.2 if interval_s is None else min(interval_s, 0.2))
    return news


def refusal(options: dict[str, object], **resources: int) -> str:
    backend = SparkBackend()
    try:
        return backend.refuses(Job("01RUN", "s", "/nowhere", Resources(**resources), options)) or ""
    finally:
        backend.close()


def test_what_is_missing_is_told_before_anything_starts(spark_home: Path) -> None:
    assert refusal(table(spark_home)) == ""
    assert "has no bin/spark-submit" in refusal(table(spark_home, spark_home="/nowhere"))
    assert "there is no Java in /nowhere" in refusal(table(spark_home, java_home="/nowhere"))
    assert "names no master" in refusal({k: v for k, v in table(spark_home).items() if k != "master"})
    assert "asks for gpus" in refusal(table(spark_home), gpus=1)
    assert "unknown key mater" in refusal(table(spark_home, mater=1))


def test_the_site_may_name_the_master(spark_home: Path) -> None:
    options = {k: v for k, v in table(spark_home).items() if k != "master"}
    conf = spark_home / "spark/conf"
    conf.mkdir()
    (conf / "spark-defaults.conf").write_text("spark.master yarn\n")
    assert refusal(options) == ""


def test_what_spread_could_never_give(spark_home: Path) -> None:
    assert "an executor has 2" in refusal(table(spark_home, spread=True, executor_cores=2), cpus=3)
    assert "there are 2" in refusal(table(spark_home, spread=True, total_cores=2), cpus=3)
    assert refusal(table(spark_home, spread=True, executor_cores=2), cpus=2) == ""


def test_a_drivers_folder_and_environment(spark_home: Path, tmp_path: Path) -> None:
    conf = spark_home / "spark/conf"
    conf.mkdir()
    (conf / "hive-site.xml").write_text("<x/>")
    (conf / "log4j2.properties.template").write_text("")
    command = 'echo "$SPARK_HOME|$SPARK_CONF_DIR|$JAVA_HOME"; command -v spark-submit'
    job = laid_out(tmp_path / "job", command, table(spark_home, conf={"spark.x": "y"}))
    backend = Drivers(1)
    backend.submit([job])
    news = until_ended(backend)
    backend.close()
    assert isinstance(news[-1], Ended) and news[-1].exit.is_success
    folder = tmp_path / "job"
    assert (folder / "output.log").read_text() == (
        f"{spark_home}/spark|{folder}/spark|{spark_home}/java\n{spark_home}/spark/bin/spark-submit\n"
    )
    assert (folder / "spark/hive-site.xml").read_text() == "<x/>"
    assert "rootLogger.level = warn" in (folder / "spark/log4j2.properties").read_text()
    defaults = folder / "spark/spark-defaults.conf"
    assert "spark.master=spark://h:1\n" in defaults.read_text()
    assert defaults.read_text().endswith("spark.x=y\n")
    assert defaults.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_to_is_waited_for(spark_home: Path, tmp_path: Path) -> None:
    job = laid_out(tmp_path / "job", "true", table(spark_home))
    (tmp_path / "job/spark").write_text("in the way")
    backend = Drivers(1)
    backend.submit([job])
    assert "cannot be written to" in backend.why_pending([job.folder])[job.folder]
    assert backend.room() == 1
    (tmp_path / "job/spark").unlink()
    news = until_ended(backend)
    backend.close()
    assert isinstance(news[-1], Ended) and news[-1].exit.is_success


def test_an_application_is_never_spread(spark_home: Path, tmp_path: Path) -> None:
    assert APPLICATION_LINE in job_script("x", {"MASTER": "local[2]"})
    application = laid_out(tmp_path / "a", "true", table(spark_home, spread=True), MASTER="local[1]")
    plain = laid_out(tmp_path / "b", "true", table(spark_home, spread=True))
    backend = SparkBackend(drivers=1)
    backend.submit([application, plain])
    assert plain.folder in backend.why_pending([application.folder, plain.folder])
    assert (tmp_path / "a/spark").is_dir() and not (tmp_path / "b/spark").exists()
    backend.close()


def test_the_runtime_is_that_of_the_jobs_script(tmp_path: Path) -> None:
    job = laid_out(tmp_path / "job", "true", {}, VIRTUAL_ENV="/hub's/venv a")
    assert runtime_of(job.folder) == "/hub's/venv a"
    assert runtime_of(laid_out(tmp_path / "none", "true", {}).folder) == ""
    assert runtime_of("/nowhere") == ""


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    jobs = tuple(laid_out(tmp_path / str(n), "true", {}) for n in range(5))
    note = ledger.open_note(jobs, time.time(), "wrapper")
    return Batch(note.key, note.folder, jobs)


def submitted(batch: Batch) -> list[Submitted]:
    return [Submitted(job, batch.key, f"1.{n}", 0.0) for n, job in enumerate(batch.jobs)]


def test_members_as_their_folders_tell(batch: Batch) -> None:
    system = SpreadSystem()
    ended, lost, running, cancelled, _ = (Path(job.folder) for job in batch.jobs)
    for folder in (ended, lost, running):
        (folder / "pid").write_text("4711\n")
    (ended / "exit").write_text("3\n0m0.0s 0m0.0s\n0m0.0s 0m0.0s\n")
    (lost / "lost").touch()
    (cancelled / "pid").write_text("0\n")
    seen = [system.look(submitted(batch))[f"1.{n}"] for n in range(5)]
    assert [each.state for each in seen] == ["ended", "ended", "running", "ended", "pending"]
    assert [each.exit.cause if each.exit else None for each in seen] == [
        None, "vanished", None, "cancelled", None,
    ]  # fmt: skip
    assert seen[4].reason == "its Spark application starts"
    (Path(batch.folder) / LOG).write_text("All masters are unresponsive! Giving up.\n")
    (Path(batch.folder) / ENDED).write_text("1\n")
    seen = [system.look(submitted(batch))[f"1.{n}"] for n in range(5)]
    assert [each.state for each in seen] == ["ended"] * 5
    words = [each.exit.detail if each.exit else None for each in seen]
    assert words[2] and words[2].startswith(
        "its Spark application ended while it ran: the Spark master does not"
    )
    assert words[4] and words[4].startswith("its Spark application ended before it started: ")


def test_a_cancelled_member_never_starts_and_a_running_one_is_told(batch: Batch) -> None:
    system = SpreadSystem()
    running = Path(batch.jobs[0].folder)
    (running / "pid").write_text("4711\n")
    system.cancel(submitted(batch)[:2])
    assert (running / "cancel").exists()
    started = subprocess.run(["sh", f"{batch.jobs[1].folder}/job.sh"], check=False)
    assert started.returncode == 75


def test_a_submission_is_found_by_what_it_wrote(batch: Batch) -> None:
    system = SpreadSystem()
    assert system.find([batch]) == {}
    (Path(batch.folder) / "pid").write_text("12\n")
    assert system.find([batch]) == {batch.key: [f"12.{n}" for n in range(5)]}
