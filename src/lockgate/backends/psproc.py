"""Processes where there is no /proc: psutil, and kqueue to learn of their ends."""

from __future__ import annotations

import os
import select
import sys
import time

import psutil

from lockgate.backends.process import MARKER, Process


def scan() -> dict[int, Process]:
    """Return every process of the host by its pid."""
    found = {}
    for each in psutil.process_iter():
        process = _read(each)
        if process is not None:
            found[process.pid] = process
    return found


def find(pid: int) -> Process | None:
    """Return one process; None where there is none, or only what is left of it."""
    try:
        return _read(psutil.Process(pid))
    except psutil.Error:
        return None


def _read(each: psutil.Process) -> Process | None:
    try:
        with each.oneshot():
            if each.status() == psutil.STATUS_ZOMBIE:
                return None
            rss_bytes = int(each.memory_info().rss)
            return Process(each.pid, each.ppid() or 0, os.getsid(each.pid), each.create_time(), rss_bytes)
    except (psutil.Error, OSError):
        return None


def age_s(process: Process) -> float:
    """Return how long ago the process was started."""
    return time.time() - process.start


def marker_of(pid: int) -> str | None:
    """Return the job's mark in the environment the process was started with; None: none, or not readable
    (macOS hides the environment of its own programs)."""
    try:
        mark = psutil.Process(pid).environ().get(MARKER)
    except (psutil.Error, OSError):
        return None
    return None if mark is None else str(mark)


def proportional_bytes(process: Process) -> int:
    """Return its resident memory: here nobody tells how much of it is shared."""
    return process.rss_bytes


if sys.platform != "linux":

    class ExitWatch:
        """Tells when processes end, ours or not, by one file descriptor; see kqueue(2), EVFILT_PROC."""

        def __init__(self) -> None:
            self._queue = select.kqueue()

        def fileno(self) -> int:
            return self._queue.fileno()

        def add(self, pid: int) -> bool:
            """Watch a process; False where the host cannot: it must be asked for then."""
            flags = select.KQ_EV_ADD | select.KQ_EV_ONESHOT
            event = select.kevent(pid, select.KQ_FILTER_PROC, flags, select.KQ_NOTE_EXIT)
            try:
                self._queue.control([event], 0)
            except OSError:
                return False
            return True

        def drop(self, pid: int) -> None:
            """The system forgets a process that has ended."""

        def ended(self) -> list[int]:
            """Return the watched processes that have ended, without waiting."""
            return [event.ident for event in self._queue.control(None, 256, 0)]

        def close(self) -> None:
            self._queue.close()
