"""What processes take, read from /proc: see proc(5)."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """Return a process and all below it that are there now."""
    found = [pid]
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += descendants(int(child))
    return found


def cpu_s(pid: int) -> float:
    """Return the processor time of a process and of all it has started, those it waited for too."""
    return sum(_ticks(each) for each in descendants(pid)) / _TICKS


def _ticks(pid: int) -> int:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15])
    return 0


@contextlib.contextmanager
def peaks(pid: int) -> Iterator[dict[str, float]]:
    """Watch a process and what it starts; give the most memory of each program, in MB."""
    found: dict[str, float] = {}
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.02):
            for each in descendants(pid):
                name, peak_mb = _program(each), peak(each)
                found[name] = max(found.get(name, 0.0), peak_mb)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield found
    finally:
        is_over.set()
        watching.join()


def peak(pid: int) -> float:
    """Return the most memory that a process had so far, in MB; 0 where it is gone."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000
    return 0.0


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        ours = next(
            (word for word in words if word.startswith("lockgate.") or word.endswith("hook.py")), None
        )
        return ours or " ".join([Path(words[0]).name, *words[1:2]]).strip()
    return ""
