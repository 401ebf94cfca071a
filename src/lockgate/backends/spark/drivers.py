"""Stages as Spark drivers: each a process of the hub's host, its executors where the master puts them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.backends import host
from lockgate.backends.contract import Ended, Started
from lockgate.backends.local import LocalBackend
from lockgate.backends.spark.eventlog import EventLog
from lockgate.backends.spark.failures import reason
from lockgate.backends.spark.folder import find_place, lacks, write_folder
from lockgate.backends.spark.options import Options, read_options
from lockgate.errors import OutsideError, UserError
from lockgate.project.pipeline import Resources
from lockgate.runs import exitrecord
from lockgate.runs.job import ExitRecord, Job
from lockgate.runs.verdict import tail

#: What a driver takes of the hub's host, about: a Java machine of its own, and Python beside it.
_DRIVER_BYTES = 1 << 30
_AHEAD = 2
_AGAIN_S = 1.0


class Drivers:
    """Runs each job as a driver on this host.

    Parameters
    ----------
    count
        How many drivers may run at once; None: two for each cpu, as far as memory reaches.
    """

    def __init__(self, count: int | None = None, *, grace_s: float = 5.0) -> None:
        if count is None:
            count = max(1, min(2 * host.cpus(), host.memory_bytes() // _DRIVER_BYTES))
        self._count = count
        self._local = LocalBackend(cpus=count, grace_s=grace_s)
        self._logs: dict[str, EventLog] = {}
        self._unwritten: dict[str, tuple[Job, str]] = {}
        """Jobs whose folder could not be written to, with the reason."""
        self._write_at = 0.0
        self._unsaved: dict[str, ExitRecord] = {}
        """Ends that are not on disk yet."""
        self._news: list[Started | Ended] = []

    @property
    def queued(self) -> int:
        """How many jobs wait here."""
        return len(self._unwritten) + self._local.queued

    def room(self) -> int:
        return max(0, self._count * _AHEAD - self.queued)

    def submit(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._take(job)

    def attach(self, jobs: Sequence[Job]) -> None:
        self.submit(jobs)

    def poll(self) -> Sequence[Started | Ended]:
        """Raises `OutsideError` (`job-record`), as `LocalBackend.poll`."""
        if self._unwritten and time.monotonic() >= self._write_at:
            waiting, self._unwritten = self._unwritten, {}
            for job, _ in waiting.values():
                self._take(job)
        for folder, record in list(self._unsaved.items()):
            exitrecord.write(folder, record)
            del self._unsaved[folder]
            self._news.append(Ended(folder, record))
        for each in self._local.poll():
            if isinstance(each, Started):
                self._news.append(each)
                continue
            log = self._logs.pop(each.folder, None) or EventLog(each.folder)
            told = explained(each.folder, each.exit, log)
            if told == each.exit:
                self._news.append(each)
            else:
                self._report(each.folder, told)
        news, self._news = self._news, []
        return news

    def cancel(self, folders: Sequence[str]) -> None:
        for folder in folders:
            self._unwritten.pop(folder, None)
        self._local.cancel(folders)

    def why_pending(self, folders: Sequence[str]) -> Mapping[str, str]:
        places = f"{self._count} places for drivers on the hub's host"
        why = {
            folder: words.replace(f"{self._count} cpus", places)
            for folder, words in self._local.why_pending(folders).items()
        }
        why.update({folder: self._unwritten[folder][1] for folder in folders if folder in self._unwritten})
        return why

    def progress(self, folders: Sequence[str]) -> Mapping[str, str]:
        found = {}
        for folder in folders:
            words = self._logs.setdefault(folder, EventLog(folder)).look().words()
            if words is not None:
                found[folder] = words
        return found

    def refuses(self, job: Job) -> str | None:
        try:
            options = read_options(job.options)
        except UserError as error:
            return f"{error.message} ({error.hint})"
        if job.resources.gpus:
            return (
                "asks for gpus, which Spark gives by settings of its own: take `gpus` out of the stage and "
                "set spark.executor.resource.gpu.amount in [batch.spark.conf]"
            )
        return lacks(options, find_place(options)) or self._local.refuses(_driver(job, options))

    def wake_fds(self) -> Sequence[int]:
        return self._local.wake_fds()

    def poll_interval_s(self) -> float | None:
        if self._news:
            return 0.0
        interval_s = self._local.poll_interval_s()
        if self._unwritten or self._unsaved:
            return _AGAIN_S if interval_s is None else min(_AGAIN_S, interval_s)
        return interval_s

    def close(self) -> None:
        self._local.close()

    def _take(self, job: Job) -> None:
        if exitrecord.started(job.folder) is not None or not Path(job.folder).is_dir():
            self._local.submit([msgspec.structs.replace(job, resources=_driver(job, None).resources)])
            return
        refusal = self.refuses(job)
        if refusal is not None:
            self._report(job.folder, ExitRecord(cause="refused", detail=refusal))
            return
        options = read_options(job.options)
        try:
            write_folder(job, options, find_place(options))
        except OSError as error:
            words = f"waits: its folder cannot be written to ({error.strerror or error})"
            self._unwritten[job.folder] = job, words
            self._write_at = time.monotonic() + _AGAIN_S
            return
        self._local.submit([_driver(job, options)])

    def _report(self, folder: str, record: ExitRecord) -> None:
        """Report an end once it is on disk."""
        try:
            exitrecord.write(folder, record)
        except OutsideError:
            self._unsaved[folder] = record
        else:
            self._news.append(Ended(folder, record))


def _driver(job: Job, options: Options | None) -> Job:
    """Return the job as its driver is: what the stage asks for is its executors'."""
    memory_bytes = options.driver_memory if options is not None else None
    resources = Resources(
        cpus=1,
        memory_bytes=driver_limit(memory_bytes) if isinstance(memory_bytes, int) else None,
        walltime_s=job.resources.walltime_s,
    )
    return msgspec.structs.replace(job, resources=resources)


def driver_limit(heap_bytes: int) -> int:
    """Return what a driver with such a heap may hold in all: 40 % more for Python and the rest of Java, at
    least 384 MiB (spark.driver.memoryOverheadFactor of non-JVM jobs, and the least overhead)."""
    return heap_bytes + max(384 << 20, heap_bytes * 2 // 5)


def explained(folder: str, record: ExitRecord, log: EventLog) -> ExitRecord:
    """Return how a driver ended with what its log and its events tell of the cause."""
    if record.is_success:
        return record
    if record.cause == "memory":
        detail = f"the driver was {record.detail or 'killed'}; raise driver_memory in [batch.spark]"
        return msgspec.structs.replace(record, cause=None, code=None, signal=9, detail=detail)
    if record.cause == "walltime":
        tally = log.look()
        if tally.waits_for_executors and not tally.has_run_tasks and "executor" not in (record.detail or ""):
            return msgspec.structs.replace(record, detail=f"{record.detail}; it never got an executor")
        return record
    if record.cause is not None or record.detail is not None:
        return record
    words = reason(tail(Path(folder, "output.log")))
    return record if words is None else msgspec.structs.replace(record, detail=words)
