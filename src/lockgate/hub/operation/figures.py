"""What a hub has to do and how much room it takes, in numbers, for whoever watches over it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, OutsideError
from lockgate.hub.batch_settings import default_manifest
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.operation.examination import dispatcher_pid
from lockgate.project.manifest import Manifest

#: Runs that are looked at for the states of their jobs; more are in no hub's dispatcher at once.
RUNS_LOOKED_AT = 500


class Figures(msgspec.Struct, frozen=True):
    """A hub at one moment."""

    runs: Mapping[str, int]
    """State → how many, ended runs too."""
    jobs: Mapping[tuple[str, str], int]
    """(backend, state) → how many, of runs that have not ended."""
    queued: int
    oldest_queued_s: float
    """How long the first of the queue has waited; 0.0: it is empty."""
    is_dispatched: bool
    free_bytes: int


def figures(hub: Hub, now: float | None = None) -> Figures:
    """Count. Raises `OutsideError` (`index-damaged`, `index-unavailable`)."""
    at = time.time() if now is None else now
    free = shutil.disk_usage(hub.root).free
    is_dispatched = dispatcher_pid(hub) is not None
    if not hub.index.exists():
        return Figures({}, {}, 0, 0.0, is_dispatched, free)
    index = Index(hub.index, is_read_only=True)
    try:
        unfinished = index.unfinished()
        jobs = _jobs(hub, index, unfinished[:RUNS_LOOKED_AT])
    finally:
        index.close()
    queued = [row for row in unfinished if row.state in ("received", "queued")]
    oldest = max(0.0, at - queued[0].created_at) if queued else 0.0
    return Figures(_runs(hub.index), jobs, len(queued), oldest, is_dispatched, free)


def stored_bytes(folder: Path) -> int:
    """Return the size of all files below a folder; takes seconds where there are millions."""
    total = 0
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    total += stored_bytes(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        pass  # gone meanwhile
    return total


def _runs(path: Path) -> dict[str, int]:
    try:
        with closing(sqlite3.connect(path, timeout=5.0)) as sql:
            return dict(sql.execute("select state, count(*) from runs group by state"))
    except sqlite3.Error as error:
        raise OutsideError(
            f"the hub's index {path} cannot be used: {error}",
            "Look at the disk (df -h), and: lockgate hub doctor",
            code="index-unavailable",
            is_transient=True,
        ) from error


def _jobs(hub: Hub, index: Index, rows: list[RunRow]) -> dict[tuple[str, str], int]:
    manifests: dict[str, Manifest | None] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        project = row.request.project
        if project not in manifests:
            manifests[project] = _manifest(hub, project)
        for job in index.jobs(row.request.id):
            counts[_backend(row, job.stage, manifests[project]), job.state] += 1
    return dict(counts)


def _manifest(hub: Hub, project: str) -> Manifest | None:
    try:
        return default_manifest(hub.repository(project))
    except LockgateError:
        return None


def _backend(row: RunRow, stage: str, manifest: Manifest | None) -> str:
    if row.request.backend is not None or manifest is None:
        return row.request.backend or "local"
    declared = next((each for each in manifest.stages if each.name == stage.partition("@")[0]), None)
    return (declared.backend if declared is not None else None) or manifest.batch.backend
