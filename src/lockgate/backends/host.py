"""What this host has to give to jobs: cpus, memory, gpus, within the limits set on this process."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_NO_LIMIT = 1 << 60


def cpus() -> int:
    """Return how many cpus this process may use: its affinity, and its control group's quota."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    for group in _groups():
        quota = _words(group / "cpu.max")
        if len(quota) == 2 and quota[0].isdigit() and int(quota[1]) > 0:
            count = min(count, int(quota[0]) // int(quota[1]))
    return max(1, count)


def memory_bytes() -> int:
    """Return how much memory this process may use: the host's, or its control group's limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [group / "memory.max" for group in _groups()]
    for path in [*limits, _CGROUPS / "memory" / "memory.limit_in_bytes"]:
        limit = _words(path)
        if limit and limit[0].isdigit() and int(limit[0]) < _NO_LIMIT:
            total = min(total, int(limit[0]))
    return total


def gpus() -> tuple[str, ...]:
    """Return the host's NVIDIA devices as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in visible.split(",") if name not in ("", "-1", "NoDevFiles"))
    numbers = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return tuple(sorted((number for number in numbers if number.isdigit()), key=int))


def _groups() -> list[Path]:
    """Return this process's control group and those around it; see cgroups(7), version 2."""
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        if line.startswith("0::/"):
            inner = _CGROUPS / line[4:]
            return [inner, *(each for each in inner.parents if each.is_relative_to(_CGROUPS))]
    return []


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
