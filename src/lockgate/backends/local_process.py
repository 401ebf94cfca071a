"""A job that runs on this host: its shell, all that it started, how both are ended."""

# Plain calls of the system: this runs for every job, and Path costs as much again.
# ruff: noqa: PTH123
from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import signal
import sys
import time

import msgspec

from lockgate.backends import processes
from lockgate.backends.process import MARKER, Scan, tree
from lockgate.runs import exitrecord
from lockgate.runs.job import Cause, ExitRecord, Job
from lockgate.runs.jobscript import ALREADY_STARTED, SYSTEM_PATH

_SHELL = "/bin/sh"
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
#: Given back their defaults, as Python ignores the first two and a hub may have been told to ignore more.
_DEFAULT_SIGNALS = [
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGCHLD,
]
#: How long a pid's process may seem younger than its file and still be the one that wrote it.
_CLOCK_SLACK_S = 2.0
_BRIEF_S = 0.2
#: After a kill the shell has this long to write its record.
_RECORD_S = 1.0
_NO_RECORD = "its record could not be written: is the disk full?"


def mark_of(folder: str) -> str:
    """Return what marks every process of the job in this folder."""
    return hashlib.blake2b(os.fsencode(folder), digest_size=10).hexdigest()


def read_pid(folder: str) -> int | None:
    """Return the pid of the job's shell; 0 where the job was kept from starting, None where it has not."""
    try:
        with open(f"{folder}/{exitrecord.PID}", "rb", buffering=0) as file:
            text = file.read(32).strip()
            is_new = not text and time.time() - os.fstat(file.fileno()).st_mtime < _CLOCK_SLACK_S
    except OSError:
        return None
    if is_new:
        # Its shell is about to write it. A second start finds it taken, and then reads whose it is.
        return None
    return int(text) if text.isdigit() else 0


def claim(folder: str) -> bool:
    """Keep the job from ever starting, as its own start guard does; False: it has started."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(f"{folder}/{exitrecord.PID}", flags, 0o644)
        try:
            os.write(descriptor, b"0\n")
        finally:
            os.close(descriptor)
    except FileExistsError:
        return False
    except OSError:
        return True
    return True


def is_alive(folder: str, pid: int) -> bool:
    """Return whether the process of this pid is the shell of the job in this folder, and not a later one."""
    process = processes.find(pid) if pid else None
    if process is None:
        return False
    mark = processes.marker_of(pid)
    if mark is not None:
        return mark == mark_of(folder)
    started_at = exitrecord.started(folder)
    return started_at is not None and processes.age_s(process) >= time.time() - started_at - _CLOCK_SLACK_S


class Ending(msgspec.Struct, frozen=True):
    """Why and until when a job is being ended."""

    cause: Cause
    detail: str
    kill_at: float
    """On the monotonic clock: then what has not ended by SIGTERM is killed."""


class LocalProcess:
    """One running job. `look` is fed with scans of the host's processes; `settle` is called at its end."""

    def __init__(self, job: Job, pid: int, *, is_child: bool, age_s: float = 0.0) -> None:
        self.job = job
        self.pid = pid
        self.gpus: tuple[str, ...] = ()
        self.ending: Ending | None = None
        self.began = time.monotonic() - max(0.0, age_s)
        self._is_child = is_child
        self._members: dict[int, float] = {}
        self._peak_bytes = 0
        self._status: int | None = None
        self._usage: resource.struct_rusage | None = None
        self._drain_until: float | None = None

    @property
    def ends_by(self) -> float | None:
        """When the walltime is over, on the monotonic clock."""
        walltime_s = self.job.resources.walltime_s
        return None if walltime_s is None else self.began + walltime_s

    @property
    def is_brief(self) -> bool:
        """Whether it is too young to be worth a look at all processes of the host."""
        return self._is_child and self.ending is None and time.monotonic() - self.began < _BRIEF_S

    def look(self, scan: Scan) -> int:
        """Take in a scan; return the memory, in bytes, that the whole job holds."""
        self._members = tree(scan, self.pid, self._members)
        used = processes.memory_bytes(scan, self._members, self.job.resources.memory_bytes)
        self._peak_bytes = max(self._peak_bytes, used)
        return used

    def end(self, cause: Cause, detail: str, scan: Scan, *, grace_s: float) -> None:
        """Begin to end the job: SIGTERM to all but its shell, which writes the record; SIGKILL after the
        grace. The first cause stays."""
        if self.ending is not None:
            return
        self.ending = Ending(cause, detail, time.monotonic() + grace_s)
        if grace_s > 0:
            pids = self._found(scan) - {self.pid}
            processes.send(pids, signal.SIGTERM)
            processes.send(pids, signal.SIGCONT)
        else:
            self.press(scan)

    def press(self, scan: Scan) -> None:
        """Kill what is left once the grace is over; the shell too when it outlives its children."""
        now = time.monotonic()
        if self.ending is None or now < self.ending.kill_at:
            return
        pids = self._found(scan)
        if now < self.ending.kill_at + _RECORD_S:
            pids.discard(self.pid)
        processes.send(pids, signal.SIGKILL)

    def _found(self, scan: Scan) -> set[int]:
        self._members = tree(scan, self.pid, self._members)
        outside = (each for pid, each in scan.items() if pid not in self._members)
        marked = processes.marked(outside, mark_of(self.job.folder))
        self._members.update(marked)
        return set(self._members)

    def settle(self) -> bool:
        """Clear up after the shell has ended; False: some process is not gone yet, call again."""
        if self._is_child and self._status is None:
            # Before the shell is reaped, while its pid and its group cannot be another's.
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        if not self.is_brief and not self._is_drained():
            return False
        if self._status is None:
            with contextlib.suppress(ChildProcessError):
                pid, status, usage = os.wait4(self.pid, os.WNOHANG)
                if pid:
                    self._status, self._usage = os.waitstatus_to_exitcode(status), usage
        return True

    def _is_drained(self) -> bool:
        left = self._found(processes.scan()) - {self.pid}
        if not left:
            return True
        processes.send(left, signal.SIGKILL)
        if self._drain_until is None:
            self._drain_until = time.monotonic() + _RECORD_S
        return time.monotonic() >= self._drain_until

    def other_shell(self) -> int | None:
        """Return the pid of another start of this job, which goes on and is to be watched instead."""
        if self._status != ALREADY_STARTED:
            return None
        pid = read_pid(self.job.folder)
        return pid if pid and pid != self.pid and is_alive(self.job.folder, pid) else None

    def record(self) -> ExitRecord:
        """Return how it ended, by its own record where there is one, by its end as a process where not."""
        record = exitrecord.read_raw(self.job.folder) or self._unrecorded()
        if self.ending is not None:
            record = msgspec.structs.replace(record, cause=self.ending.cause, detail=self.ending.detail)
        elif record.signal == signal.SIGKILL and record.detail is None:
            detail = "killed (SIGKILL) by someone, or by the system for want of memory"
            record = msgspec.structs.replace(record, detail=detail)
        return msgspec.structs.replace(
            record, peak_memory_bytes=self._peak(), cpu_time_s=self._cpu_time_s() or record.cpu_time_s
        )

    def _unrecorded(self) -> ExitRecord:
        started_at = exitrecord.started(self.job.folder)
        ended_at = time.time()
        times = ExitRecord(
            started_at=started_at,
            ended_at=ended_at if started_at is None else max(started_at, ended_at),
        )
        if self._status is None:
            return vanished(self.job.folder)
        if self._status < 0:
            name = signal.Signals(-self._status).name
            detail = f"its shell was killed ({name}) by someone, or by the system for want of memory"
            return msgspec.structs.replace(times, signal=-self._status, detail=detail)
        if started_at is None or self._status == ALREADY_STARTED:
            detail = (
                f"its job.sh could not start (exit code {self._status}): is the folder there and writable?"
            )
            return msgspec.structs.replace(times, cause="vanished", detail=detail)
        if self._status > 128 and self._status - 128 in signal.valid_signals():
            return msgspec.structs.replace(times, signal=self._status - 128, detail=_NO_RECORD)
        return msgspec.structs.replace(times, code=self._status, detail=_NO_RECORD)

    def _peak(self) -> int | None:
        """The largest sum seen, or the largest process as the system saw it: that figure is only worth
        something above our own size, which a spawned process begins with (Linux, fs/exec.c, exec_mmap)."""
        peak = self._peak_bytes
        if self._usage is not None:
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if self._usage.ru_maxrss > own:
                peak = max(peak, self._usage.ru_maxrss * _MAXRSS_UNIT)
        return peak or None

    def _cpu_time_s(self) -> float | None:
        if self._usage is None:
            return None
        return round(self._usage.ru_utime + self._usage.ru_stime, 6)


def spawn(job: Job, gpus: tuple[str, ...]) -> LocalProcess:
    """Start the job's shell in a session of its own. Raises `OSError` when the host has no room for it."""
    environment = {"PATH": SYSTEM_PATH, MARKER: mark_of(job.folder)}
    for name in ("USER", "LOGNAME"):
        if name in os.environ:
            environment[name] = os.environ[name]
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    pid = os.posix_spawn(
        _SHELL,
        ["sh", f"{job.folder}/job.sh"],
        environment,
        file_actions=_NO_FILES,
        setsid=True,
        setsigmask=[],
        setsigdef=_DEFAULT_SIGNALS,
    )
    started = LocalProcess(job, pid, is_child=True)
    started.gpus = gpus
    return started


_NO_FILES = [
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    (os.POSIX_SPAWN_DUP2, 1, 2),
]


def adopt(job: Job, pid: int) -> LocalProcess:
    """Take up a job that an earlier process started."""
    started_at = exitrecord.started(job.folder)
    age_s = 0.0 if started_at is None else time.time() - started_at
    return LocalProcess(job, pid, is_child=False, age_s=age_s)


def vanished(folder: str) -> ExitRecord:
    """Return the record of a job that was started and left none."""
    return ExitRecord(
        cause="vanished",
        detail="its processes are gone and it left no record: the host was restarted, its disk was full, "
        "or they were killed",
        started_at=exitrecord.started(folder),
    )
