"""Questions about runs, answered from the index and from git. Nothing here waits for anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, UserError
from lockgate.git.contents import read_many
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import JobRow, RunRow
from lockgate.hub.push import describe
from lockgate.project.pipeline import LOCK_FILE
from lockgate.project.snapshot import CommitSource
from lockgate.runs.lockfile import read_lock
from lockgate.runs.observation import Observation
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.runid import LENGTH
from lockgate.verify.report import Verification

#: A metrics file larger than this is a table, not metrics.
METRICS_LIMIT_BYTES = 1_000_000
#: A number beyond this is told as a word: no float, or infinite.
_LARGEST = 1e308


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """A run as one line of a list. Times: seconds since the epoch."""

    id: str
    state: str
    where: str
    commit: str
    member: str
    created_at: float
    seconds: float | None
    cause: str | None


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run with everything known of it."""

    line: RunLine
    ref: str
    params: dict[str, str]
    stages: tuple[JobRow, ...]
    records: dict[str, StageRecord]
    metrics: dict[str, float | str]
    """`path:key` → value, of every metrics artifact."""
    result_commit: str | None
    has_moved_branch: bool
    verifications: tuple[Verification, ...] = ()
    """What verifications of it found, newest first; of a verification, what it found."""
    observations: dict[str, Observation] = {}
    """What its stages really used, where the project asks for that."""

    @property
    def artifacts(self) -> list[Artifact]:
        return [artifact for record in self.records.values() for artifact in record.artifacts]


#: So far back `latest` looks for a run that verifies no other.
_LOOKED_BACK = 1000


def find_run(index: Index, project: str, text: str) -> RunRow:
    """Return the run meant by an id or the end of one; `latest` means the newest that verifies no other.

    Raises `UserError`: `run-unknown`, `run-ambiguous`.
    """
    if text == "latest":
        newest = index.runs(project, _LOOKED_BACK)
        found = [row for row in newest if row.request.proof is None][:1]
    else:
        wanted = text.strip().upper()
        found = index.runs_ending_in(project, wanted) if wanted.isalnum() and len(wanted) <= LENGTH else []
    if not found:
        raise UserError(f"there is no run {text}", "The runs there are: lockgate runs", code="run-unknown")
    if len(found) > 1 and text != "latest":
        ids = ", ".join(row.request.id for row in found)
        raise UserError(f"{text} could be several runs", f"Write more of the id: {ids}", code="run-ambiguous")
    return found[0]


def list_runs(hub: Hub, project: str, limit: int) -> list[RunLine]:
    """Return the newest runs, newest first."""
    index = Index(hub.index, is_read_only=True)
    return [_line(row) for row in index.runs(project, limit)]


def show_run(hub: Hub, project: str, text: str) -> RunView:
    """Return everything known of a run. Raises `UserError`: `run-unknown`, `run-ambiguous`."""
    index = Index(hub.index, is_read_only=True)
    row = find_run(index, project, text)
    jobs = tuple(index.jobs(row.request.id))
    repository = hub.repository(project)
    records = _records(repository, row)
    settled_well = [job.stage for job in jobs if job.state in ("succeeded", "cached")]
    mine = {stage: records[stage] for stage in settled_well if stage in records}
    return RunView(
        line=_line(row),
        ref=row.request.ref,
        params=row.request.params,
        stages=jobs,
        records=mine,
        metrics=read_metrics(repository, mine),
        result_commit=row.result_commit,
        has_moved_branch=row.has_moved_branch,
        observations=index.observations(row.request.id),
        verifications=tuple(index.verifications(project, row.request.id)),
    )


def read_metrics(repository: Path, records: Mapping[str, StageRecord]) -> dict[str, float | str]:
    """Return every number and word in the metrics files that git holds, under `path:key`."""
    wanted = [
        artifact
        for record in records.values()
        for artifact in record.artifacts
        if artifact.kind == "metrics" and artifact.git and artifact.size_bytes <= METRICS_LIMIT_BYTES
    ]
    found = read_many(repository, [artifact.git or "" for artifact in wanted])
    metrics: dict[str, float | str] = {}
    for artifact, content in zip(wanted, found, strict=True):
        if content is not None:
            for key, value in flat_metrics(content.content).items():
                metrics[f"{artifact.path}:{key}"] = value
    return metrics


def flat_metrics(content: bytes) -> dict[str, float | str]:
    """Return the leaves of a JSON document under dotted keys; nothing of what is no JSON."""
    leaves: dict[str, float | str] = {}

    def walk(value: object, key: str) -> None:
        if isinstance(value, dict):
            for name, inside in value.items():
                walk(inside, f"{key}.{name}" if key else str(name))
        elif isinstance(value, bool):
            leaves[key or "value"] = str(value).lower()
        elif isinstance(value, int | float):
            leaves[key or "value"] = value if abs(value) < _LARGEST else str(value)
        elif isinstance(value, str) and len(value) <= 100:
            leaves[key or "value"] = value

    try:
        walk(json.loads(content), "")
    except (ValueError, RecursionError):
        return {}
    return leaves


def _records(repository: Path, row: RunRow) -> dict[str, StageRecord]:
    commit = row.result_commit or row.request.commit
    try:
        content = CommitSource(repository, commit).read([LOCK_FILE]).get(LOCK_FILE)
        return read_lock(content) if content else {}
    except LockgateError:
        return {}


def _line(row: RunRow) -> RunLine:
    seconds = max(0.0, row.ended_at - row.created_at) if row.ended_at is not None else None
    return RunLine(
        id=row.request.id,
        state=row.state,
        where=describe(row.request.ref),
        commit=row.request.commit,
        member=row.request.member,
        created_at=row.created_at,
        seconds=seconds,
        cause=row.cause,
    )
