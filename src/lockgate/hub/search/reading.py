"""Reading a stretch of a project's chain, with what its entries point at, into rows. Git is asked in bulk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from lockgate.activity.chain import FILE_NAME, parse
from lockgate.activity.entry import Activity
from lockgate.errors import LockgateError
from lockgate.git.batch import Batch
from lockgate.git.trees import entries_of
from lockgate.hub.indexing.queries import METRICS_LIMIT_BYTES, flat_metrics
from lockgate.hub.indexing.rows import JobRow, RunRow
from lockgate.hub.push import describe
from lockgate.hub.reindex import Restored, restore
from lockgate.hub.search.detail import ArtifactRef, Detail
from lockgate.hub.search.filters import number_of
from lockgate.project.pipeline import LOCK_FILE, Scalar
from lockgate.runs.lockfile import read_lock
from lockgate.runs.record import Artifact, StageRecord

#: So many figures, tables, metrics and logs are shown beneath an entry.
SHOWN = 6
#: So many parameters and metrics of one run are indexed; more is a table.
MOST_VALUES = 2_000
_EVIDENCE_BYTES = 4_000
_WELL = ("succeeded", "cached")

_encode = msgspec.json.Encoder().encode


class Value(msgspec.Struct, frozen=True):
    """One value of a run. `word`: what is no number, or was written otherwise than the number is."""

    kind: str
    name: str
    value: float | None
    word: str | None


class ReadRun(msgspec.Struct, frozen=True, kw_only=True):
    row: RunRow
    values: tuple[Value, ...] = ()
    artifacts: tuple[ArtifactRef, ...] = ()
    is_recorded: bool = True


class ReadEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the chain as the index keeps it."""

    id: str
    activity: Activity
    at: float
    detail: Detail
    run: ReadRun | None = None
    """Of `run.finished`: the run that ended."""


class _Ended(msgspec.Struct, frozen=True):
    """A run that ended, with the records of all its stages that went well, reused ones too."""

    restored: Restored
    records: dict[str, StageRecord]


def read_entries(batch: Batch, project: str, ids: Sequence[str], problems: list[str]) -> Iterator[ReadEntry]:
    """Yield the entries of these commits in order; what cannot be read is told in `problems` and left out.

    Raises `OutsideError` (`git-failed`).
    """
    activities: dict[str, tuple[Activity, float]] = {}
    ended: dict[str, Restored] = {}
    for oid, found in zip(ids, batch.read_many([f"{oid}:{FILE_NAME}" for oid in ids]), strict=True):
        try:
            if found is None:
                raise ValueError(f"it has no {FILE_NAME}")
            activity = parse(found.content)
            activities[oid] = activity, datetime.fromisoformat(activity.at).timestamp()
            if activity.kind == "run.finished":
                ended[oid] = restore(activity, project)
        except (ValueError, OverflowError) as error:
            problems.append(f"{project}: entry {oid}: {error}")
    runs = _with_records(batch, ended)
    metrics = _metrics(batch, runs)
    logs = _logs(batch, list(runs))
    for oid, (activity, at) in activities.items():
        if oid in runs:
            run = _read_run(runs[oid], metrics[oid])
            yield ReadEntry(
                id=oid, activity=activity, at=at, run=run, detail=_detail(runs[oid], run, logs.get(oid, ()))
            )
        else:
            yield ReadEntry(
                id=oid, activity=activity, at=at, detail=Detail(evidence=_small(activity.evidence))
            )


def asked_values(params: Mapping[str, Scalar]) -> tuple[Value, ...]:
    """Return the parameters that were given with a run's request."""
    return tuple(_param(name, value) for name, value in sorted(params.items())[:MOST_VALUES])


def clean(text: str) -> str:
    """Return a text that every database takes: without NUL and without halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _with_records(batch: Batch, ended: Mapping[str, Restored]) -> dict[str, _Ended]:
    """Reused stages are not in the evidence; the result's lock file has them."""
    wanted = [oid for oid, each in ended.items() if _reused(each) and each.row.result_commit]
    asked = [f"{ended[oid].row.result_commit}:{LOCK_FILE}" for oid in wanted]
    locks: dict[str, dict[str, StageRecord]] = {}
    for oid, found in zip(wanted, batch.read_many(asked), strict=True):
        if found is not None:
            try:
                locks[oid] = read_lock(found.content)
            except LockgateError:
                continue
    runs = {}
    for oid, each in ended.items():
        own = {record.stage: record for record in each.records}
        went_well = [job.stage for job in each.jobs if job.state in _WELL]
        known = locks.get(oid, {}) | own
        runs[oid] = _Ended(each, {stage: known[stage] for stage in went_well if stage in known})
    return runs


def _reused(restored: Restored) -> bool:
    own = {record.stage for record in restored.records}
    return any(job.state in _WELL and job.stage not in own for job in restored.jobs)


def _metrics(batch: Batch, runs: Mapping[str, _Ended]) -> dict[str, dict[str, float | str]]:
    wanted: list[tuple[str, Artifact]] = [
        (oid, artifact)
        for oid, run in runs.items()
        for record in run.records.values()
        for artifact in record.artifacts
        if artifact.kind == "metrics" and artifact.git and artifact.size_bytes <= METRICS_LIMIT_BYTES
    ]
    blobs = list(dict.fromkeys(artifact.git or "" for _, artifact in wanted))
    leaves = {
        blob: flat_metrics(found.content)
        for blob, found in zip(blobs, batch.read_many(blobs), strict=True)
        if found is not None and found.kind == "blob"
    }
    metrics: dict[str, dict[str, float | str]] = {oid: {} for oid in runs}
    for oid, artifact in wanted:
        for key, value in leaves.get(artifact.git or "", {}).items():
            metrics[oid][f"{artifact.path}:{key}"] = value
    return metrics


def _logs(batch: Batch, entries: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {
        oid: tuple(f"logs/{each.name}" for each in entries_of(found.content))
        for oid, found in zip(entries, batch.read_many([f"{oid}:logs" for oid in entries]), strict=True)
        if found is not None and found.kind == "tree"
    }


def _read_run(ended: _Ended, metrics: Mapping[str, float | str]) -> ReadRun:
    row = ended.restored.row
    return ReadRun(
        row=row,
        values=tuple(_values(row, ended.records, metrics)),
        artifacts=tuple(
            _artifact(record, made) for record in ended.restored.records for made in record.artifacts
        ),
    )


def _values(
    row: RunRow, records: Mapping[str, StageRecord], metrics: Mapping[str, float | str]
) -> Iterator[Value]:
    params: dict[tuple[str, str], Value] = {}
    for record in records.values():
        for name, value in record.params.items():
            params.setdefault((name, repr(value)), _param(name, value))
    taken = {name for name, _ in params}
    for name, asked in row.request.params.items():
        if name not in taken:
            params[name, asked] = _param(name, asked)
    yield from list(params.values())[:MOST_VALUES]
    for name, measured in list(metrics.items())[:MOST_VALUES]:
        is_number = not isinstance(measured, str)
        yield Value(
            "metric",
            clean(name),
            float(measured) if is_number else None,
            None if is_number else clean(str(measured)),
        )


def _param(name: str, value: Scalar) -> Value:
    if isinstance(value, bool):
        return Value("param", clean(name), None, str(value).lower())
    if isinstance(value, int | float):
        return Value("param", clean(name), *_number(value))
    return Value("param", clean(name), number_of(value), clean(value))


def _number(value: float) -> tuple[float | None, str | None]:
    """A number too large for a float, or none, is a word."""
    fits = abs(value) < 1e308
    return (float(value), None if float(value) == value else str(value)) if fits else (None, str(value))


def _artifact(record: StageRecord, made: Artifact) -> ArtifactRef:
    return ArtifactRef(
        run=record.run,
        stage=record.stage,
        path=made.path,
        kind=made.kind,
        md5=made.md5,
        git=made.git,
        size_bytes=made.size_bytes,
    )


def _detail(ended: _Ended, run: ReadRun, logs: Sequence[str]) -> Detail:
    row = ended.restored.row
    figures = [each for each in run.artifacts if each.kind == "figure"]
    tables = [each for each in run.artifacts if each.kind == "table"]
    shown = [each for each in run.values if each.kind == "metric"]
    return Detail(
        outcome=row.state,
        cause=row.cause,
        seconds=seconds_of(row),
        snapshot=row.request.commit,
        has_moved_branch=row.has_moved_branch,
        states=_count(ended.restored.jobs),
        params=dict(list(row.request.params.items())[:SHOWN]),
        metrics={
            each.name: each.value if each.value is not None else each.word or "" for each in shown[:SHOWN]
        },
        metric_count=len(shown),
        figures=tuple(figures[:SHOWN]),
        figure_count=len(figures),
        tables=tuple(tables[:SHOWN]),
        table_count=len(tables),
        logs=tuple(logs[:SHOWN]),
    )


def seconds_of(row: RunRow) -> float | None:
    """Return how long a run took from when it was asked for; None: it has not ended."""
    return max(0.0, row.ended_at - row.created_at) if row.ended_at is not None else None


def branch_of(row: RunRow) -> str:
    return clean(describe(row.request.ref))


def _count(jobs: Sequence[JobRow]) -> dict[str, int]:
    return dict(Counter(job.state for job in jobs))


def _small(evidence: dict[str, object]) -> dict[str, object]:
    return evidence if len(_encode(evidence)) <= _EVIDENCE_BYTES else {}
