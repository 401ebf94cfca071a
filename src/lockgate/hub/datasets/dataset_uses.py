"""Which runs read a dataset, in which version, and which models came of it; and what data one run read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.data.certification import Standing
from lockgate.errors import LockgateError
from lockgate.hub.datasets.catalogue import Entry, entries_at, of_path, standing_now
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.runs.record import Artifact, StageRecord

#: So many of a project's newest results are looked through.
_LOOKED_AT = 5_000
_COMMITS = 50
_TOLD = 50


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of a run that read a dataset."""

    run: str
    stage: str
    at: str
    """When the stage ended: UTC, ISO 8601."""
    by: str
    content: str | None
    """The version it read."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was made of a dataset, at once or by stages between."""

    run: str
    stage: str
    path: str
    at: str
    content: str | None
    """The version of the dataset."""


class Uses(msgspec.Struct, frozen=True):
    """Newest first; `is_cut`: there may be more than was looked at."""

    runs: tuple[Use, ...] = ()
    models: tuple[Model, ...] = ()
    is_cut: bool = False


class Read(msgspec.Struct, frozen=True):
    """A dataset that a run read; `standing`: how that version stands today."""

    entry: Entry
    standing: Standing
    stages: tuple[str, ...]


def uses_of(hub: Hub, project: str, path: str) -> Uses:
    """Return what read a dataset. Raises `UserError` (`project-unknown`)."""
    repository = hub.require_project(project)
    with contextlib.closing(Index(hub.index, is_read_only=True)) as index:
        records = sorted(index.results(project), key=lambda each: each.ended_at, reverse=True)
    readers = [each for each in records[:_LOOKED_AT] if covers(each, path)]
    versions: dict[str, str | None] = {}
    is_cut = len(records) > _LOOKED_AT
    kept = []
    for record in readers:
        if record.commit not in versions:
            if len(versions) >= _COMMITS:
                is_cut = True
                continue
            versions[record.commit] = version_at(repository, record.commit, path)
        if versions[record.commit] is not None:
            kept.append(record)
    uses = [
        Use(
            run=each.run,
            stage=each.stage,
            at=each.ended_at,
            by=each.member,
            content=versions[each.commit],
        )
        for each in kept
    ]
    models = _models(records, kept, versions)
    return Uses(tuple(uses[:_TOLD]), tuple(models[:_TOLD]), is_cut or len(uses) > _TOLD)


def read_by(hub: Hub, project: str, commit: str, records: Mapping[str, StageRecord]) -> tuple[Read, ...]:
    """Return the datasets that the stages of a run read, as they were at its snapshot."""
    repository = hub.repository(project)
    try:
        entries, _ = entries_at(repository, commit)
    except LockgateError:
        return ()
    with contextlib.closing(Index(hub.index, is_read_only=True)) as index:
        said = index.certifications(project)
    found = []
    for entry in entries:
        stages = tuple(name for name, record in records.items() if covers(record, entry.path))
        if stages and entry.content is not None:
            found.append(Read(entry, standing_now(of_path(said, entry.path), entry.content), stages))
    return tuple(found)


def covers(record: StageRecord, path: str) -> bool:
    """Return whether a stage needed a path: by itself, as a part or a whole of a need, or with everything."""
    if any(artifact.path == path for artifact in record.artifacts):
        return False
    return not record.needs or any(_touch(need, path) for need, _ in record.needs)


def _touch(need: str, path: str) -> bool:
    name = need.rstrip("/")
    return name in (".", path) or path.startswith(name + "/") or name.startswith(path + "/")


def version_at(repository: Path, commit: str, path: str) -> str | None:
    """Return what identifies a dataset's content at a commit; None: it is not there."""
    try:
        entries, _ = entries_at(repository, commit)
    except LockgateError:
        return None
    return next((entry.content for entry in entries if entry.path == path), None)


def _models(
    records: Sequence[StageRecord], readers: Sequence[StageRecord], versions: Mapping[str, str | None]
) -> list[Model]:
    """Follow the artifacts of those who read it to whoever needed them, run by run."""
    by_need: dict[str, list[StageRecord]] = {}
    for record in records:
        for _, identity in record.needs:
            by_need.setdefault(identity, []).append(record)
    found: dict[tuple[str, str, str], Model] = {}
    for reader in readers:
        seen, waiting = {reader.fingerprint}, [reader]
        while waiting:
            record = waiting.pop()
            for artifact in record.artifacts:
                if artifact.kind == "model":
                    model = Model(
                        run=record.run,
                        stage=record.stage,
                        path=artifact.path,
                        at=record.ended_at,
                        content=versions[reader.commit],
                    )
                    found.setdefault((record.run, record.stage, artifact.path), model)
                for later in _needing(by_need, artifact):
                    if later.fingerprint not in seen:
                        seen.add(later.fingerprint)
                        waiting.append(later)
    return sorted(found.values(), key=lambda model: model.at, reverse=True)


def _needing(by_need: Mapping[str, list[StageRecord]], artifact: Artifact) -> Iterable[StageRecord]:
    """A need is known by the artifact's digest (see lockgate.runs.record)."""
    return by_need.get(f"md5:{artifact.md5}", [])
