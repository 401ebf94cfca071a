"""What a scheduler says of tasks, in Lockgate's words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from lockgate.backends.system import Seen
from lockgate.project.quantities import counted
from lockgate.runs.job import ExitRecord

_RAISED = re.compile(r"\w+\((?P<quote>['\"])(?P<text>.*)(?P=quote)\)", re.DOTALL)
_CANCELLED = "cancelled before it started"


class Task(msgspec.Struct, frozen=True):
    """One task as its scheduler has it."""

    state: str
    worker: str
    address: str
    deaths: int
    """How many workers died with it."""
    is_executing: bool
    error: str
    resources: dict[str, float]


class Report(msgspec.Struct, frozen=True):
    tasks: dict[str, Task]
    worker_count: int
    thread_count: int
    declared: list[str] = []
    """The names of resources that any worker has."""


def parse_report(said: Mapping[str, object]) -> Report:
    """Read what `shipped.tell` returned; raises `msgspec.ValidationError`."""
    return msgspec.convert(said, Report)


def has_lost_worker(task: Task, ran_on: str | None) -> bool:
    """Return whether a task was given to another worker than one that may have begun it; `ran_on` is the
    address of the worker that was seen running it."""
    if task.state in ("memory", "erred") or task.is_executing:
        return False
    return task.deaths > 0 or (ran_on is not None and task.address != ran_on)


def seen(report: Report, native_id: str) -> Seen | None:
    """Return what the scheduler says of a job; None: it has no such task.

    The states are those of distributed's manual, Scheduling State, Task State.
    """
    task = report.tasks.get(native_id)
    if task is None or task.state == "forgotten":
        return None
    if task.state == "memory":
        return Seen("ended", exit=ExitRecord())
    if task.state == "erred":
        return Seen("ended", exit=_failure(task.error))
    if task.state == "processing":
        if task.is_executing:
            return Seen("running")
        return Seen("pending", reason=f"waits for its turn on worker {task.worker}")
    if task.state == "no-worker":
        return Seen("pending", reason=_no_worker(task, report))
    if task.state == "queued":
        return Seen("pending", reason=f"waits: all {counted(report.thread_count, 'thread')} are busy")
    if task.state in ("released", "waiting"):
        return Seen("pending", reason="waits for the scheduler to place it")
    return Seen("unknown", reason=f"Dask says {task.state!r} of it")


def _no_worker(task: Task, report: Report) -> str:
    if not report.worker_count:
        return "waits: the cluster has no workers"
    wanted = ", ".join(f"{name}={amount:g}" for name, amount in sorted(task.resources.items()))
    return f"waits: no worker declares {wanted}" if wanted else "waits: no worker may take it"


LOST = Seen("ended", exit=ExitRecord(cause="vanished", detail="Dask: the worker it ran on is gone"))
"""Of a job that began on a worker that is gone: its task waits for another worker in vain."""


def _failure(error: str) -> ExitRecord:
    """Return how a task ended that raised: what `run_job` said, or Dask itself."""
    raised = _RAISED.fullmatch(error)
    text = " ".join((raised["text"] if raised else error).split())
    if text == _CANCELLED:
        return ExitRecord(cause="cancelled", detail=text)
    if error.startswith("KilledWorker"):
        text = "every worker it was given to died"
    return ExitRecord(cause="vanished", detail=f"Dask: {text[:500] or 'it failed without a word'}")
