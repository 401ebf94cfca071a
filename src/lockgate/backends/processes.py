"""The host's processes: which there are, which belong to a job, when one ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable

from lockgate.backends.process import Process, Scan

if sys.platform == "linux":
    from lockgate.backends.procfs import ExitWatch, age_s, find, marker_of, proportional_bytes, scan
else:
    from lockgate.backends.psproc import ExitWatch, age_s, find, marker_of, proportional_bytes, scan

__all__ = ["ExitWatch", "age_s", "find", "marked", "marker_of", "memory_bytes", "scan", "send"]


def marked(processes: Iterable[Process], mark: str) -> dict[int, float]:
    """Return pid → start of the processes that carry a job's mark."""
    return {each.pid: each.start for each in processes if marker_of(each.pid) == mark}


def memory_bytes(processes: Scan, members: Iterable[int], limit_bytes: int | None) -> int:
    """Return the memory of these processes together.

    It is the sum of their resident sets, which counts shared pages several times; only where that passes
    the limit are shared pages divided among their holders, as that is slow to find out.
    """
    found = [processes[pid] for pid in members if pid in processes]
    total = sum(each.rss_bytes for each in found)
    if limit_bytes is None or total <= limit_bytes or len(found) < 2:
        return total
    return sum(proportional_bytes(each) for each in found)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each; one that has gone is passed over."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            continue
