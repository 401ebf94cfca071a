"""What tests of a backend stand on: jobs laid out, backends opened and closed, news waited for."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from lockgate.backends.contract import Backend, Ended, Started
from lockgate.errors import OutsideError
from lockgate.project.pipeline import Resources
from lockgate.runs.isolation import Isolation
from lockgate.runs.job import ExitRecord, Job
from lockgate.runs.jobscript import base_environment, job_script
from lockgate.runs.workspace import Input, lay_out

News = list[Started | Ended]

#: Runs as long as a test waits, and not for ever should all else fail.
LONG = "i=0; while [ $i -lt 1200 ]; do sleep 0.05; i=$((i+1)); done"


class BackendBench:
    """What a backend under test is told to do, and what is known of the system behind it."""

    cpus = 2
    """How many cpus the backend under test offers at least; it is never asked for more at a time."""
    deadline_s = 60.0
    """How long a test waits for what must happen."""
    brief_s = 1.0
    """How long a job runs that is to be found running by a second backend."""
    many = 100
    """How many jobs are a lot."""
    enforces_memory = True
    """Whether jobs are ended that use more memory than they asked for."""
    sees_processes = True
    """Whether jobs' processes are seen on this host under the pids they have there."""
    refuses_excess = True
    """Whether what could never run is refused; else it waits, and words say for what."""
    excess_resources = Resources(cpus=1_000_000)
    """What the backend could never give."""
    options: dict[str, object] = {}  # noqa: RUF012 - to be overridden
    """The table `[batch.NAME]` of every job."""
    refused_options: dict[str, object] | None = None
    """Options with which any job is refused; None: there are none."""
    isolation: Isolation | None = None
    """From what every job is kept."""
    folder_names: tuple[str, ...] = (
        "a b",
        "ä ö → 木",
        "'\"$(touch x)`\\",
        "-rf",
        "*",
        "%s{}",
        "%a%j$Process",
    )
    """Names that a job's folder may have."""

    complaints: list[OutsideError]
    """What backends said while they were polled that they could not do."""
    _backends: list[Backend]

    def backend(self) -> Backend:
        """Return a new backend, as a later process of the same hub makes one. To be overridden."""
        raise NotImplementedError

    def make_vanished(self, job: Job) -> None:
        """Leave the traces of a job that was started and is gone without a record. May be overridden."""
        gone = subprocess.Popen(["true"])
        gone.wait()
        (Path(job.folder) / "pid").write_text(f"{gone.pid}\n")

    def outage(self) -> AbstractContextManager[None] | None:
        """Return what takes the system behind the backend down for as long as it is entered, its jobs going
        on; None: that cannot be. May be overridden."""
        return None

    def call_count(self) -> int | None:
        """Return how many calls the system has had so far; None: nobody counts. May be overridden."""
        return None

    @pytest.fixture(autouse=True)
    def _closed(self) -> Iterator[None]:
        self._backends, self.complaints = [], []
        yield
        for backend in self._backends:
            backend.close()

    def opened(self) -> Backend:
        backend = self.backend()
        self._backends.append(backend)
        return backend

    def closed(self, backend: Backend) -> None:
        """Close a backend as the end of its process would."""
        backend.close()
        self._backends.remove(backend)

    def job(
        self,
        folder: Path,
        command: str,
        *,
        stage: str | None = None,
        resources: Resources = Resources(),  # noqa: B008 - frozen
        inputs: tuple[Input, ...] = (),
        options: dict[str, object] | None = None,
    ) -> Job:
        """Lay out a job that runs `command`."""
        stage = stage or folder.name
        environment, inside = base_environment(
            run="01RUN", stage=stage, cpus=resources.cpus, source_date_epoch=1_000_000_000
        )
        script = job_script(command, environment, from_folder=inside, isolation=self.isolation)
        lay_out(folder, script, inputs)
        return Job("01RUN", stage, os.fspath(folder), resources, self.options if options is None else options)

    def until(self, backend: Backend, is_done: Callable[[News], bool], news: News | None = None) -> News:
        """Poll, as a dispatcher does, until the news so far satisfy `is_done`; return them all."""
        news = [] if news is None else news
        ends_at = time.monotonic() + self.deadline_s
        while True:
            try:
                news.extend(backend.poll())
            except OutsideError as error:
                self.complaints.append(error)
            if is_done(news):
                return news
            so_far = f"so far: {news}, {self.complaints}"
            assert time.monotonic() < ends_at, f"still waiting after {self.deadline_s} s; {so_far}"
            interval_s = backend.poll_interval_s()
            select.select(backend.wake_fds(), [], [], 0.5 if interval_s is None else min(interval_s, 0.5))

    def until_ended(
        self, backend: Backend, count: int = 1, news: News | None = None
    ) -> dict[str, ExitRecord]:
        """Poll until so many jobs have ended; return folder → record."""
        return ends(self.until(backend, lambda news: len(ends(news)) >= count, news))

    def until_said(self, backend: Backend, job: Job, text: str, news: News | None = None) -> str:
        """Poll until the job's log holds `text`; return the log."""
        log = Path(job.folder, "output.log")

        def has_said(_: News) -> bool:
            return log.exists() and text in log.read_text(errors="replace")

        self.until(backend, has_said, news)
        return log.read_text(errors="replace")

    def until_exists(self, backend: Backend, path: Path, news: News) -> None:
        self.until(backend, lambda _: path.exists() and path.stat().st_size > 0, news)

    def run(self, backend: Backend, *jobs: Job) -> dict[str, ExitRecord]:
        """Submit jobs and wait for their ends; return folder → record."""
        backend.submit(jobs)
        return self.until_ended(backend, len(jobs))

    def log(self, job: Job) -> str:
        return Path(job.folder, "output.log").read_text(errors="replace")

    def until_gone(self, pid: int) -> None:
        ends_at = time.monotonic() + self.deadline_s
        while is_running(pid):
            assert time.monotonic() < ends_at, f"process {pid} still runs"
            time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Return whether there is such a process that is more than a zombie."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.returncode == 0 and not done.stdout.strip().startswith("Z")


def ends(news: News) -> dict[str, ExitRecord]:
    """Return folder → record of the jobs that ended."""
    return {each.folder: each.exit for each in news if isinstance(each, Ended)}
