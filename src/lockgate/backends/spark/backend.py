"""The backend `spark`: stages as drivers, or spread over the executors of one application."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend, Ended, Started
from lockgate.backends.ledger import POINTER
from lockgate.backends.spark.drivers import Drivers
from lockgate.backends.spark.spread import BATCH_LIMIT, SpreadSystem
from lockgate.errors import OutsideError
from lockgate.runs.job import Job
from lockgate.runs.jobscript import APPLICATION_LINE

#: Jobs to be spread are gathered until none has come for so long: starting an application is dear.
_GATHER_S = 0.3


class SparkBackend:
    """Takes each job to where its options say, and an earlier process's to where it was."""

    def __init__(self, drivers: int | None = None) -> None:
        self._drivers = Drivers(drivers)
        self._spread: BatchBackend | None = None
        self._gathered: dict[str, Job] = {}
        self._came_at = 0.0

    def room(self) -> int:
        return max(0, BATCH_LIMIT - self._drivers.queued - len(self._gathered))

    def submit(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if not self._is_spread(job):
                self._drivers.submit([job])
            elif self._is_handed_over(job.folder) or self.refuses(job) is not None:
                self._spreading.submit([job])
            elif job.folder not in self._gathered:
                self._gathered[job.folder] = job
                self._came_at = time.monotonic()

    def attach(self, jobs: Sequence[Job]) -> None:
        self.submit(jobs)

    def poll(self) -> Sequence[Started | Ended]:
        """Raises `OutsideError` for what either could not do, once there is no other news."""
        if self._gathered and time.monotonic() - self._came_at >= _GATHER_S:
            self._hand_over()
        news: list[Started | Ended] = []
        trouble: OutsideError | None = None
        for backend in self._both:
            try:
                news += backend.poll()
            except OutsideError as error:
                trouble = error
        if trouble is not None and not news:
            raise trouble
        return news

    def cancel(self, folders: Sequence[str]) -> None:
        spread = [each for each in folders if each in self._gathered or self._is_handed_over(each)]
        if spread:
            self._hand_over()
            self._spreading.cancel(spread)
        driven = [each for each in folders if each not in spread]
        if driven:
            self._drivers.cancel(driven)

    def why_pending(self, folders: Sequence[str]) -> Mapping[str, str]:
        why = {each: "is gathered with others of its kind" for each in folders if each in self._gathered}
        for backend in self._both:
            why.update(backend.why_pending(folders))
        return why

    def progress(self, folders: Sequence[str]) -> Mapping[str, str]:
        told: dict[str, str] = {}
        for backend in self._both:
            told.update(backend.progress(folders))
        return told

    def refuses(self, job: Job) -> str | None:
        return self._spreading.refuses(job) if self._is_spread(job) else self._drivers.refuses(job)

    def wake_fds(self) -> Sequence[int]:
        return [fd for backend in self._both for fd in backend.wake_fds()]

    def poll_interval_s(self) -> float | None:
        due = [backend.poll_interval_s() for backend in self._both]
        if self._gathered:
            due.append(max(0.0, self._came_at + _GATHER_S - time.monotonic()))
        return min((each for each in due if each is not None), default=None)

    def close(self) -> None:
        for backend in self._both:
            backend.close()

    @property
    def _both(self) -> Sequence[Backend]:
        return [self._drivers] if self._spread is None else [self._drivers, self._spread]

    @property
    def _spreading(self) -> BatchBackend:
        if self._spread is None:
            self._spread = BatchBackend(SpreadSystem())
        return self._spread

    def _hand_over(self) -> None:
        jobs, self._gathered = list(self._gathered.values()), {}
        self._spreading.submit(jobs)

    def _is_spread(self, job: Job) -> bool:
        """Whether it is to be a task of an application, and is no application itself."""
        if self._is_handed_over(job.folder):
            return True
        if Path(job.folder, "spark").is_dir() or job.options.get("spread") is not True:
            return False
        return not _is_application(job.folder)

    def _is_handed_over(self, folder: str) -> bool:
        return Path(folder, POINTER).exists()


def _is_application(folder: str) -> bool:
    """Whether the job's script submits a Spark application."""
    try:
        with Path(folder, "job.sh").open(encoding="utf-8", errors="surrogateescape") as script:
            return any(line.startswith(APPLICATION_LINE) for line in script)
    except OSError:
        return False
