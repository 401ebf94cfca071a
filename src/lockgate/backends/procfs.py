"""Processes on Linux: /proc, and pidfd to learn of their ends."""

# ruff: noqa: PTH123, PTH208 - read for every process of the host, several times a second
from __future__ import annotations

import os
import select
import time

from lockgate.backends.process import MARKER, Process

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def scan() -> dict[int, Process]:
    """Return every process of the host by its pid."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = find(int(name))
            if process is not None:
                found[process.pid] = process
    return found


def find(pid: int) -> Process | None:
    """Read /proc/PID/stat, see proc_pid_stat(5); the name in brackets may hold anything, a `)` too.

    None where there is no such process, or only what is left of it.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(descriptor, 4096)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return parse_stat(pid, text)


def parse_stat(pid: int, text: bytes) -> Process | None:
    fields = text[text.rfind(b")") + 2 :].split(b" ", 22)
    if len(fields) < 22 or fields[0] in (b"Z", b"X"):
        return None
    return Process(
        pid, int(fields[1]), int(fields[3]), int(fields[19]) * _TICK_S, int(fields[21]) * _PAGE_BYTES
    )


def age_s(process: Process) -> float:
    """Return how long ago the process was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.start


def marker_of(pid: int) -> str | None:
    """Return the job's mark in the environment the process was started with; None: none, or not readable."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            text = b"\0" + file.read()
    except OSError:
        return None
    _, found, rest = text.partition(b"\0" + MARKER.encode() + b"=")
    return rest.split(b"\0", 1)[0].decode("utf-8", "replace") if found else None


def proportional_bytes(process: Process) -> int:
    """Return its memory with shared pages divided among their holders: `Pss`, see proc_pid_smaps(5)."""
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return process.rss_bytes


class ExitWatch:
    """Tells when processes end, ours or not, by one file descriptor; takes no signal handler and reaps
    nothing, so the rest of the program may have children of its own."""

    def __init__(self) -> None:
        self._descriptors: dict[int, int] = {}
        self._pids: dict[int, int] = {}
        self._epoll = select.epoll()

    def fileno(self) -> int:
        return self._epoll.fileno()

    def add(self, pid: int) -> bool:
        """Watch a process; False where the host cannot (Linux before 5.3): it must be asked for then."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return False
        self._descriptors[pid] = descriptor
        self._pids[descriptor] = pid
        self._epoll.register(descriptor, select.EPOLLIN)
        return True

    def drop(self, pid: int) -> None:
        descriptor = self._descriptors.pop(pid, None)
        if descriptor is not None:
            del self._pids[descriptor]
            # Closing is not enough: a child that is being started may still hold a copy of it.
            self._epoll.unregister(descriptor)
            os.close(descriptor)

    def ended(self) -> list[int]:
        """Return the watched processes that have ended, without waiting."""
        return [self._pids[descriptor] for descriptor, _ in self._epoll.poll(0)]

    def close(self) -> None:
        for pid in list(self._descriptors):
            self.drop(pid)
        self._epoll.close()
