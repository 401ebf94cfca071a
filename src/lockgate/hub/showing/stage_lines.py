"""What a run's page says of its stages: one row each, from index and git. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lockgate.hub.indexing.rows import JobRow
from lockgate.runs.reason import reason_beside_state
from lockgate.runs.record import StageRecord
from lockgate.runs.run import Event, Planned
from lockgate.runs.runid import short


class StageLine(msgspec.Struct, frozen=True, kw_only=True):
    """One stage. `start` and `length` are parts of the run's time, `memory` of the largest stage's."""

    name: str
    state: str
    note: str
    seconds: float | None
    memory_bytes: int | None
    start: float = 0.0
    length: float = 0.0
    memory: float = 0.0
    record: StageRecord | None = None


def note_of(job: JobRow) -> str:
    """Return what is most worth knowing of a stage: its cause, what it waits for, or why it ran."""
    if job.cause:
        return job.cause if job.cause != job.state else ""
    if job.state == "cached" and job.reused_from:
        return f"from run {short(job.reused_from)}"
    return job.waits_for or job.progress or reason_beside_state(job.reason)


def lines_of(jobs: Sequence[JobRow], records: Mapping[str, StageRecord], now: float) -> tuple[StageLine, ...]:
    """Return a line for each stage, its time and memory beside those of the others."""
    spans = {job.stage: (job.started_at, job.ended_at or now) for job in jobs if job.started_at is not None}
    first = min((start for start, _ in spans.values()), default=0.0)
    whole = max((end for _, end in spans.values()), default=0.0) - first or 1.0
    most = max((job.peak_memory_bytes or 0 for job in jobs), default=0) or 1
    return tuple(_line(job, records.get(job.stage), spans.get(job.stage), first, whole, most) for job in jobs)


def _line(
    job: JobRow,
    record: StageRecord | None,
    span: tuple[float, float] | None,
    first: float,
    whole: float,
    most: int,
) -> StageLine:
    return StageLine(
        name=job.stage,
        state=job.state,
        note=note_of(job),
        seconds=max(0.0, span[1] - span[0]) if span else None,
        memory_bytes=job.peak_memory_bytes,
        start=(span[0] - first) / whole if span else 0.0,
        length=(span[1] - span[0]) / whole if span else 0.0,
        memory=(job.peak_memory_bytes or 0) / most,
        record=record,
    )


def upstream_of(events: Sequence[Event], records: Mapping[str, StageRecord]) -> dict[str, tuple[str, ...]]:
    """Return who waits for whom: as planned where that is known, else as what stages read and made says."""
    for event in events:
        if isinstance(event, Planned):
            return dict(event.upstream)
    makers = [(artifact.path, name) for name, record in records.items() for artifact in record.artifacts]
    return {
        name: tuple(
            dict.fromkeys(
                maker
                for need, identity in record.needs
                if identity.startswith("md5:")
                for path, maker in makers
                if maker != name and _is_same_or_inside(need, path)
            )
        )
        for name, record in records.items()
    }


def _is_same_or_inside(one: str, other: str) -> bool:
    """Whether two paths are the same or one lies in the other."""
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)
