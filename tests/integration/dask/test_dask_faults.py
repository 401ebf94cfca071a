"""What goes wrong with a Dask cluster, on a real one."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask_service
import msgspec
import pytest
from dask_service import Cluster

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.dask.connection import Client, Connection
from lockgate.backends.dask.options import Options
from lockgate.backends.dask.system import DaskSystem
from lockgate.errors import OutsideError
from lockgate.runs import exitrecord
from lockgate.testing.bench import LONG, BackendBench, News, ends

#: A job's processes get this long to go when their worker has gone.
_DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def whole() -> Iterator[Cluster]:
    with dask_service.for_tests() as cluster:
        yield cluster


@pytest.fixture
def cluster(whole: Cluster) -> Iterator[Cluster]:
    """Mended after each test."""
    yield whole
    whole.restart()


class TestFaults(BackendBench):
    @pytest.fixture(autouse=True)
    def _use(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.options = cluster.options

    def backend(self) -> Backend:
        return BatchBackend(DaskSystem(), lag_s=4)

    def test_a_worker_that_dies_takes_its_job_along(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo ran $$; (setsid sh -c 'echo $$ >daemon; {LONG}' &); {LONG}")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_exists(backend, tmp_path / "job/workspace/daemon", news)
        shell = (tmp_path / "job/output.log").read_text().split()[1]
        for name in dask_service.WORKERS:
            self.cluster.kill_worker(name)
        self.until_gone(int(shell))
        self.until_gone(int((tmp_path / "job/workspace/daemon").read_text()))
        assert exitrecord.read_raw(job.folder) is None
        self.cluster.restart()
        record = self.until_ended(backend, 1, news)[job.folder]
        assert record.cause == "vanished"
        assert record.detail and "the worker it ran on is gone" in record.detail
        assert (tmp_path / "job/output.log").read_text().count("ran") == 1
        after = self.job(tmp_path / "after", "echo fine")
        assert self.run(backend, after)[after.folder].is_success

    def test_one_worker_dies_and_the_other_goes_on(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"echo ran; {LONG}") for n in range(4)]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        for job in jobs:
            self.until_said(backend, job, "ran", news)
        self.cluster.kill_worker("worker-1")
        records = self.until_ended(backend, 2, news)
        assert {record.cause for record in records.values()} == {"vanished"}
        rest = [job.folder for job in jobs if job.folder not in records]
        backend.cancel(rest)
        assert {self.until_ended(backend, 4, news)[folder].cause for folder in rest} == {"cancelled"}
        for job in jobs:
            assert self.log(job) == "ran\n"

    def test_a_scheduler_that_comes_back_has_forgotten_its_jobs(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo ran; {LONG}")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_said(backend, job, "ran", news)
        self.cluster.kill_scheduler()
        waiting = self.job(tmp_path / "waiting", "echo ran")
        backend.submit([waiting])
        self.until(
            backend, lambda _: "cannot be reached" in backend.why_pending([waiting.folder])[waiting.folder]
        )
        self.cluster.restart()
        records = self.until_ended(backend, 2, news)
        assert records[job.folder].cause == "vanished"
        assert records[waiting.folder].is_success
        assert self.log(waiting) == "ran\n"

    def test_a_line_that_breaks_between_two_calls(self, caplog: pytest.LogCaptureFixture) -> None:
        options = msgspec.convert(self.cluster.options, Options)
        line = Connection(options, f"{self.cluster.folder}/scheduler.json")

        async def versions(client: Client) -> object:
            return await client.get_versions()

        assert line.call(versions)
        logger = logging.getLogger("distributed.client")
        logger.addHandler(caplog.handler)
        try:
            self.cluster.kill_scheduler()
            # Dask's client tries to lay it anew for its time limit, then closes itself
            time.sleep(options.timeout + 1)
            with pytest.raises(OutsideError, match="cannot be reached"):
                line.call(versions)
            self.cluster.restart()
            assert line.call(versions)
        finally:
            logger.removeHandler(caplog.handler)
            line.close()
        assert not caplog.records

    def test_a_client_that_was_killed(self, tmp_path: Path) -> None:
        running = self.job(tmp_path / "running", f"echo ran; sleep {self.brief_s}; exit 4")
        waiting = [self.job(tmp_path / str(n), "sleep 0.5; echo ran") for n in range(6)]
        jobs = [(job.folder, job.stage) for job in (running, *waiting)]
        code = (
            "import os, signal, time\n"
            "from pathlib import Path\n"
            "from lockgate.backends.dask.system import backend\n"
            "from lockgate.project.pipeline import Resources\n"
            "from lockgate.runs.job import Job\n"
            "hub = backend()\n"
            f"jobs, options = {jobs!r}, {self.options!r}\n"
            "hub.submit([Job('01RUN', stage, folder, Resources(), options) for folder, stage in jobs])\n"
            f"log = Path({running.folder!r}, 'output.log')\n"
            "while not (log.exists() and log.read_text()):\n"
            "    hub.poll()\n"
            "    time.sleep(0.02)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
        assert done.returncode == -9
        backend = self.opened()
        backend.attach([running, *waiting])
        records = self.until_ended(backend, 7)
        assert records[running.folder].code == 4
        assert all(records[job.folder].is_success for job in waiting)
        assert all(self.log(job) == "ran\n" for job in (running, *waiting))

    def test_a_folder_that_workers_do_not_see(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran")
        os.unlink(tmp_path / "job/job.sh")  # noqa: PTH108
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "vanished"
        assert record.detail and "workers must share the hub's files" in record.detail

    def test_datasets_of_ended_jobs_are_let_go(self, tmp_path: Path) -> None:
        from distributed import Client

        backend = self.opened()
        jobs = [self.job(tmp_path / str(n), "true") for n in range(3)]
        self.run(backend, *jobs)
        last = self.job(tmp_path / "last", f"echo ran; {LONG}")
        backend.submit([last])
        self.until_said(backend, last, "ran")
        connect: Any = Client
        with connect(scheduler_file=self.options["scheduler_file"]) as client:
            ends_at = time.monotonic() + _DEADLINE_S
            while len(client.list_datasets()) > 1:
                backend.poll()
                assert time.monotonic() < ends_at, client.list_datasets()
                time.sleep(0.05)
        backend.cancel([last.folder])
        assert ends(self.until(backend, lambda news: bool(ends(news))))[last.folder].cause == "cancelled"
