"""One process of the host, and which processes make up a job."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

#: Set for every process of a job, so that it is found whatever it does to its session and parents.
MARKER = "LOCKGATE_JOB"


class Process(msgspec.Struct, frozen=True, gc=False):
    """One process as seen in a scan; zombies are left out."""

    pid: int
    parent: int
    session: int
    start: float
    """Tells it from another that has the same pid later; no known zero."""
    rss_bytes: int


Scan = Mapping[int, Process]


def tree(processes: Scan, root: int, known: Mapping[int, float]) -> dict[int, float]:
    """Return pid → start of all that belongs to the job whose shell is `root`: its session, all that were
    seen to belong to it before (`known`), and the descendants of these."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    stack = [each.pid for each in processes.values() if each.session == root or each.pid == root]
    stack += [pid for pid, start in known.items() if pid in processes and processes[pid].start == start]
    found: dict[int, float] = {}
    while stack:
        pid = stack.pop()
        if pid not in found:
            found[pid] = processes[pid].start
            stack += children.get(pid, ())
    return found
