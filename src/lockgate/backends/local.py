"""Jobs on this host: a queue of their own, within the cpus and the memory there are."""

# ruff: noqa: PTH110 - asked for every job
from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from lockgate.backends import host, local_process, processes
from lockgate.backends.contract import Ended, Started
from lockgate.backends.local_process import LocalProcess
from lockgate.backends.process import Scan
from lockgate.errors import OutsideError
from lockgate.project.pipeline import Resources
from lockgate.project.quantities import duration_words, size_words
from lockgate.runs import exitrecord
from lockgate.runs.job import ExitRecord, Job

_LOOK_S = 0.1
_LAZY_LOOK_S = 0.5
_ENDING_LOOK_S = 0.03
_UNWATCHED_LOOK_S = 0.02
_SWEEP_S = 1.0
_SWEPT_AGE_S = 60.0
_AGAIN_S = 1.0
#: Looking at all processes may take one part in this many of the time.
_LOOK_SHARE = 25
#: Jobs held ready for each cpu, so that none idles while the next is laid out.
_AHEAD = 3


class LocalBackend:
    """Runs jobs on this host, first come, first served; a large job keeps its place at the head.

    Parameters
    ----------
    cpus, memory_bytes
        What all jobs together may ask for; None: what the host gives this process.
    grace_s
        Time between SIGTERM and SIGKILL, for a job to save what it has.
    """

    def __init__(
        self, cpus: int | None = None, memory_bytes: int | None = None, *, grace_s: float = 5.0
    ) -> None:
        self._cpus = host.cpus() if cpus is None else cpus
        self._memory_bytes = host.memory_bytes() if memory_bytes is None else memory_bytes
        self._gpus = list(host.gpus())
        self._gpu_count = len(self._gpus)
        self._grace_s = grace_s
        self._free_cpus = self._cpus
        self._free_bytes = self._memory_bytes
        self._watch = processes.ExitWatch()
        self._seen: set[str] = set()
        self._queue: deque[Job] = deque()
        self._running: dict[str, LocalProcess] = {}
        self._by_pid: dict[int, LocalProcess] = {}
        self._unwatched: set[int] = set()
        self._unsettled: dict[str, LocalProcess] = {}
        self._unwritten: dict[str, ExitRecord] = {}
        self._news: list[Started | Ended] = []
        self._look_at: float | None = None
        self._start_at = 0.0
        self._hindrance: str | None = None
        self._brief_marks: set[str] = set()
        self._sweep_at: float | None = None

    @property
    def queued(self) -> int:
        """How many jobs wait here."""
        return len(self._queue)

    def room(self) -> int:
        return max(0, _AHEAD * self._cpus - len(self._queue))

    def submit(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._take(job)
        self._start()

    def attach(self, jobs: Sequence[Job]) -> None:
        self.submit(jobs)

    def poll(self) -> Sequence[Started | Ended]:
        """Raises `OutsideError` (`job-record`) when a record cannot be written; the job is reported by a
        later call that can."""
        self._settle()
        now = time.monotonic()
        if self._look_at is not None and now >= self._look_at:
            self._look(now)
        if self._sweep_at is not None and now >= self._sweep_at:
            self._sweep()
        self._start()
        news, self._news = self._news, []
        if not news:
            self._write()
            news, self._news = self._news, []
        return news

    def cancel(self, folders: Sequence[str]) -> None:
        wanted = set(folders)
        for folder in folders:
            self._take(Job("", os.path.basename(folder), folder, Resources()))  # noqa: PTH119
        waiting = [job for job in self._queue if job.folder in wanted]
        for job in waiting:
            self._queue.remove(job)
            if local_process.claim(job.folder):
                self._report(job.folder, ExitRecord(cause="cancelled", detail="cancelled before it started"))
            else:
                self._seen.discard(job.folder)
                self._take(job)
        self._start()
        running = [self._running[folder] for folder in folders if folder in self._running]
        if running:
            scan = processes.scan()
            for each in running:
                each.end("cancelled", "cancelled", scan, grace_s=self._grace_s)
            self._look_at = time.monotonic() + _ENDING_LOOK_S

    def why_pending(self, folders: Sequence[str]) -> Mapping[str, str]:
        wanted, why = set(folders), {}
        for number, job in enumerate(self._queue):
            if job.folder in wanted:
                head = self._queue[0]
                words = self._hindrance if self._hindrance is not None else self._lacks(head)
                why[job.folder] = words if number == 0 else f"waits behind {head.stage}, which {words}"
        return why

    def progress(self, folders: Sequence[str]) -> Mapping[str, str]:
        return {}

    def refuses(self, job: Job) -> str | None:
        asked = job.resources
        if asked.cpus > self._cpus:
            return f"asks for {asked.cpus} cpus; this host has {self._cpus} to give"
        if (asked.memory_bytes or 0) > self._memory_bytes:
            there = size_words(self._memory_bytes)
            return f"asks for {size_words(asked.memory_bytes or 0)} of memory; this host has {there} to give"
        if asked.gpus > self._gpu_count:
            return f"asks for {asked.gpus} gpus; this host has {self._gpu_count or 'none'}"
        return None

    def wake_fds(self) -> Sequence[int]:
        return (self._watch.fileno(),)

    def poll_interval_s(self) -> float | None:
        if self._news:
            return 0.0
        now = time.monotonic()
        due = [at - now for at in (self._look_at, self._sweep_at) if at is not None]
        if self._unsettled:
            due.append(_ENDING_LOOK_S)
        if self._unwatched:
            due.append(_UNWATCHED_LOOK_S)
        if self._unwritten:
            due.append(_AGAIN_S)
        if self._hindrance is not None:
            due.append(self._start_at - now)
        return max(0.0, min(due)) if due else None

    def close(self) -> None:
        if self._brief_marks:
            self._sweep()
        self._watch.close()

    def _take(self, job: Job) -> None:
        """Take a job in, in whatever state its folder says it is."""
        if job.folder in self._seen:
            return
        self._seen.add(job.folder)
        pid = local_process.read_pid(job.folder)
        if pid is None:
            refusal = self.refuses(job)
            if refusal is None:
                self._queue.append(job)
            else:
                self._report(job.folder, ExitRecord(cause="refused", detail=refusal))
        elif (record := exitrecord.read(job.folder)) is not None:
            self._news.append(Ended(job.folder, record))
        elif exitrecord.read_raw(job.folder) is None and local_process.is_alive(job.folder, pid):
            self._run(local_process.adopt(job, pid))
        else:
            # Asked for again: it may have ended between the two questions.
            raw = exitrecord.read_raw(job.folder)
            self._report(job.folder, raw or local_process.vanished(job.folder))

    def _run(self, started: LocalProcess, *, is_news: bool = True) -> None:
        folder = started.job.folder
        self._running[folder] = started
        self._by_pid[started.pid] = started
        self._free_cpus -= started.job.resources.cpus
        self._free_bytes -= started.job.resources.memory_bytes or 0
        if not self._watch.add(started.pid):
            self._unwatched.add(started.pid)
        if is_news:
            self._news.append(Started(folder, str(started.pid)))
        first_look = started.began + _LOOK_S
        self._look_at = first_look if self._look_at is None else min(self._look_at, first_look)

    def _start(self) -> None:
        """Start what fits, from the head on."""
        if self._hindrance is not None and time.monotonic() < self._start_at:
            return
        self._hindrance = None
        while self._queue and self._fits(self._queue[0]):
            job = self._queue[0]
            count = job.resources.gpus
            gpus = tuple(self._gpus[:count])
            try:
                started = local_process.spawn(job, gpus)
            except OSError as error:
                self._hindrance = f"waits: the host cannot start a process ({error.strerror})"
                self._start_at = time.monotonic() + _AGAIN_S
                return
            self._queue.popleft()
            del self._gpus[:count]
            self._run(started)

    def _fits(self, job: Job) -> bool:
        asked = job.resources
        return (
            asked.cpus <= self._free_cpus
            and (asked.memory_bytes or 0) <= self._free_bytes
            and asked.gpus <= len(self._gpus)
        )

    def _lacks(self, job: Job) -> str:
        asked = job.resources
        taken = [each.job for each in self._running.values()]
        if asked.cpus > self._free_cpus:
            what, holders = f"{asked.cpus} of {self._cpus} cpus", taken
        elif (asked.memory_bytes or 0) > self._free_bytes:
            what = f"{size_words(asked.memory_bytes or 0)} of {size_words(self._memory_bytes)} memory"
            holders = [each for each in taken if each.resources.memory_bytes]
        elif asked.gpus > len(self._gpus):
            what = f"{asked.gpus} of {self._gpu_count} gpus"
            holders = [each for each in taken if each.resources.gpus]
        else:
            return "starts now"
        return f"waits for {what}, taken by {_names(each.stage for each in holders)}"

    def _settle(self) -> None:
        ended = self._watch.ended()
        ended += [pid for pid in self._unwatched if processes.find(pid) is None]
        for pid in ended:
            process = self._by_pid.pop(pid, None)
            if process is not None:
                self._watch.drop(pid)
                self._unwatched.discard(pid)
                self._unsettled[process.job.folder] = process
        if self._unsettled:
            for process in list(self._unsettled.values()):
                if process.settle():
                    self._finish(process)

    def _finish(self, process: LocalProcess) -> None:
        folder = process.job.folder
        del self._unsettled[folder], self._running[folder]
        self._free_cpus += process.job.resources.cpus
        self._free_bytes += process.job.resources.memory_bytes or 0
        self._gpus += process.gpus
        other = process.other_shell()
        if other is not None:
            self._run(local_process.adopt(process.job, other), is_news=False)
            return
        if not self._running and not self._queue:
            self._look_at = None
        if process.is_brief:
            self._brief_marks.add(local_process.mark_of(folder))
            if self._sweep_at is None:
                self._sweep_at = time.monotonic() + _SWEEP_S
        self._report(folder, process.record())

    def _report(self, folder: str, record: ExitRecord) -> None:
        """Report an end once it is on disk."""
        try:
            if os.path.exists(folder):
                exitrecord.write(folder, record)
        except OutsideError:
            self._unwritten[folder] = record
        else:
            self._news.append(Ended(folder, record))

    def _write(self) -> None:
        for folder, record in list(self._unwritten.items()):
            exitrecord.write(folder, record)
            del self._unwritten[folder]
            self._news.append(Ended(folder, record))

    def _look(self, now: float) -> None:
        """Look at the running jobs' processes: their memory, their time, the end of those being ended."""
        running = [each for each in self._running.values() if each.job.folder not in self._unsettled]
        old = [each for each in running if each.ending is not None or now - each.began >= _LOOK_S]
        if not old:
            self._look_at = min((each.began + _LOOK_S for each in running), default=None)
            return
        scan = processes.scan()
        for each in old:
            if each.ending is not None:
                each.look(scan)
                each.press(scan)
            else:
                self._enforce(each, each.look(scan), scan, now)
        took_s = time.monotonic() - now
        if any(each.ending is not None for each in running):
            interval = _ENDING_LOOK_S
        elif any(each.job.resources.memory_bytes for each in running):
            interval = _LOOK_S
        else:
            interval = _LAZY_LOOK_S
        deadlines = [each.ends_by for each in running if each.ends_by is not None and each.ending is None]
        self._look_at = min([now + max(interval, _LOOK_SHARE * took_s), *deadlines])

    def _enforce(self, process: LocalProcess, used_bytes: int, scan: Scan, now: float) -> None:
        asked = process.job.resources
        if asked.memory_bytes is not None and used_bytes > asked.memory_bytes:
            detail = f"killed at {size_words(used_bytes)}, asked for {size_words(asked.memory_bytes)}"
            process.end("memory", detail, scan, grace_s=0)
        elif process.ends_by is not None and now >= process.ends_by:
            detail = f"killed after {duration_words(asked.walltime_s or 0)}, the walltime asked for"
            process.end("walltime", detail, scan, grace_s=self._grace_s)

    def _sweep(self) -> None:
        """Kill what brief jobs left behind in sessions of their own."""
        marks, self._brief_marks, self._sweep_at = self._brief_marks, set(), None
        for pid, process in processes.scan().items():
            if processes.age_s(process) < _SWEPT_AGE_S and processes.marker_of(pid) in marks:
                processes.send([pid], signal.SIGKILL)


def _names(stages: Iterable[str]) -> str:
    names = list(dict.fromkeys(stages))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
