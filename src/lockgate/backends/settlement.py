"""How a job ended, settled between its own record, its wrapper's word and the batch system's. Pure."""

from __future__ import annotations

import msgspec

from lockgate.project.pipeline import Resources
from lockgate.project.quantities import duration_words, size_words
from lockgate.runs.job import ExitRecord
from lockgate.runs.jobscript import ALREADY_STARTED


class Traces(msgspec.Struct, frozen=True):
    """What is in an ended job's folder."""

    own: ExitRecord | None = None
    """What job.sh wrote at its end."""
    started_at: float | None = None
    """None: job.sh never began."""
    ending: str | None = None
    """Why the wrapper ended it: `walltime`, or `memory` and the bytes it held."""
    peak_bytes: int | None = None
    is_writable: bool = True
    """Whether the hub's owner, whose job it is, may write to the folder."""


def settle(
    traces: Traces,
    seen: ExitRecord | None,
    *,
    folder: str,
    resources: Resources,
    is_cancelled: bool,
    system: str,
    native_id: str,
) -> ExitRecord:
    """Return how the job ended.

    A command that came to a good end did so, whatever was asked of the system meanwhile, but for one thing:
    a process killed for want of memory. What it left is not trusted, as the local backend would have killed
    the whole job.
    """
    said = seen or ExitRecord()
    own = traces.own
    base = own or msgspec.structs.replace(said, cause=None, detail=None)
    started_at = base.started_at or traces.started_at or said.started_at
    ended_at = base.ended_at or said.ended_at
    if started_at is not None and ended_at is not None:
        ended_at = max(started_at, ended_at)
    peaks = [peak for peak in (traces.peak_bytes, said.peak_memory_bytes) if peak is not None]
    base = msgspec.structs.replace(
        base,
        started_at=started_at,
        ended_at=ended_at,
        peak_memory_bytes=max(peaks, default=None),
        cpu_time_s=base.cpu_time_s if base.cpu_time_s is not None else said.cpu_time_s,
    )
    cause, detail = _cause(traces, said, resources, is_cancelled, f"{system} job {native_id}", folder)
    if cause is None:
        return base
    return msgspec.structs.replace(base, cause=cause, detail=detail)


def _cause(
    traces: Traces, said: ExitRecord, resources: Resources, is_cancelled: bool, where: str, folder: str
) -> tuple[str | None, str | None]:
    own = traces.own
    has_done_well = own is not None and own.is_success
    if said.cause == "memory":
        return "memory", said.detail
    if has_done_well:
        return None, None
    word, _, number = (traces.ending or "").partition(" ")
    if word == "memory" and number.isdigit():
        asked = size_words(resources.memory_bytes or 0)
        return "memory", f"killed at {size_words(int(number))}, asked for {asked}"
    if word == "walltime":
        return "walltime", f"killed after {duration_words(resources.walltime_s or 0)}, the walltime asked for"
    if is_cancelled:
        return "cancelled", said.detail or "cancelled"
    if said.cause is not None:
        return said.cause, said.detail
    if own is not None:
        return None, None
    return "vanished", _unrecorded(traces, said, where, folder)


def _unrecorded(traces: Traces, said: ExitRecord, where: str, folder: str) -> str:
    if not traces.is_writable:
        why = "its mode does not let the hub's owner, a right that no stage may take away"
        return f"{where} cannot write to {folder}: {why}"
    if said.code == ALREADY_STARTED and traces.started_at is None:
        return f"{where} cannot write to {folder} on its node: make it writable there for the hub's owner"
    if said.code == ALREADY_STARTED and traces.started_at is not None:
        return f"{where} was started a second time, after its first start had left no record"
    how = f"signal {said.signal}" if said.signal is not None else f"exit code {said.code}"
    known = said.code is not None or said.signal is not None
    if traces.started_at is None and known:
        return f"{where} could not start its job.sh ({how}): is its folder there and writable on the node?"
    if known:
        return f"{where} ended ({how}) but left no record: was the node's disk full, or its folder removed?"
    return f"{where} is gone and left no record: its node failed, or somebody removed it"
