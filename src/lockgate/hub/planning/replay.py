"""What a verification takes over from the run it verifies: its stages' records, its locked runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.git.listing import Entry
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import LOCK_FILE, MANIFEST_FILE, Allowance
from lockgate.project.runtime import LOCK_MARK
from lockgate.project.snapshot import CommitSource
from lockgate.runs.lockfile import read_lock
from lockgate.runs.record import StageRecord
from lockgate.runs.runid import short


class Replayed(msgspec.Struct, frozen=True):
    """A run as it was recorded."""

    request: Request
    result: str
    """Its result commit."""
    records: Mapping[str, StageRecord]
    """Of every stage that went well, reused ones too."""
    started_at: float


def replayed(hub: Hub, index: Index, project: str, run: str) -> Replayed:
    """Return what a run left. Raises `UserError`: `verify-not-ended`, `verify-nothing`, `verify-twice`."""
    row = index.run(run)
    if row is None or row.ended_at is None or row.result_commit is None:
        raise UserError(
            f"run {short(run)} has not ended yet", "Wait for it: lockgate logs -f", code="verify-not-ended"
        )
    if row.request.proof is not None:
        raise UserError(
            f"run {short(run)} is itself a verification, of {short(row.request.proof.run)}",
            f"Verify that one: lockgate verify {short(row.request.proof.run)}",
            code="verify-twice",
        )
    content = CommitSource(hub.repository(project), row.result_commit).read([LOCK_FILE]).get(LOCK_FILE)
    lock = read_lock(content) if content else {}
    went_well = [job.stage for job in index.jobs(run) if job.state in ("succeeded", "cached")]
    records = {stage: lock[stage] for stage in went_well if stage in lock}
    if not records:
        raise UserError(
            f"run {short(run)} made nothing that could be compared",
            "Verify a run that went well: lockgate runs",
            code="verify-nothing",
        )
    return Replayed(row.request, row.result_commit, records, row.started_at or row.created_at)


def allowances_in(source: CommitSource) -> tuple[Allowance, ...]:
    """Return what the snapshot's own `[verify]` allows."""
    content = source.read([MANIFEST_FILE]).get(MANIFEST_FILE)
    return parse_manifest(content.decode("utf-8", "replace")).verify if content is not None else ()


class RuntimeSource:
    """The snapshot's files, with the lock of the runtime that the run wrote where the snapshot had none."""

    def __init__(self, repository: Path, snapshot: CommitSource, result: str) -> None:
        self._snapshot = snapshot
        self._result = CommitSource(repository, result)
        named = [
            path
            for path, entry in self._result.files().items()
            if path.endswith(".lock") and path != LOCK_FILE and snapshot.files().get(path) != entry
        ]
        mark = LOCK_MARK.encode()
        self._locks = {
            path: content for path, content in self._result.read(named).items() if content.startswith(mark)
        }

    def files(self) -> dict[str, Entry]:
        return {**self._snapshot.files(), **{path: self._result.files()[path] for path in self._locks}}

    def read(self, path: str) -> bytes | None:
        return self._locks[path] if path in self._locks else self._snapshot.read([path]).get(path)
