"""From an artifact up to the sources it was made from, by the lock file's records alone. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from lockgate.runs.fingerprint import artifact_identity
from lockgate.runs.record import Artifact, StageRecord


class Made(msgspec.Struct, frozen=True):
    """An artifact and the stage that made it."""

    record: StageRecord
    artifact: Artifact


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the tree: a need of the step of smaller depth before it.

    `stage`: who made it, None for a source. `is_repeated`: its own needs stand further up already.
    `is_older`: that stage has since made something else at this path.
    """

    depth: int
    path: str
    identity: str
    stage: str | None = None
    run: str | None = None
    is_repeated: bool = False
    is_older: bool = False


def find(records: Mapping[str, StageRecord], path: str) -> Made | None:
    """Return the artifact at a path, or the folder artifact that holds it."""
    by_path = _by_path(records)
    while path:
        if path in by_path:
            return by_path[path]
        path = path.rpartition("/")[0]
    return None


def under(records: Mapping[str, StageRecord], folder: str) -> list[str]:
    """Return the artifacts that lie in a folder, sorted."""
    return sorted(path for path in _by_path(records) if path.startswith(folder + "/"))


def trace(records: Mapping[str, StageRecord], stage: str) -> list[Step]:
    """Return all that a stage's outputs were made from: depth first, each need under the stage it served.

    A stage is unfolded where it is first met; records that contradict each other cannot make it endless.
    """
    by_path = _by_path(records)
    steps: list[Step] = []
    unfolded = {stage}
    waiting = [*_needs(records[stage], 0)]
    while waiting:
        depth, path, identity = waiting.pop()
        made = by_path.get(path) if identity.startswith("md5:") else None
        if made is None:
            steps.append(Step(depth, path, identity))
            continue
        is_repeated = made.record.stage in unfolded
        is_older = artifact_identity(made.artifact.md5) != identity
        steps.append(Step(depth, path, identity, made.record.stage, made.record.run, is_repeated, is_older))
        if not is_repeated:
            unfolded.add(made.record.stage)
            waiting += _needs(made.record, depth + 1)
    return steps


def _needs(record: StageRecord, depth: int) -> Iterator[tuple[int, str, str]]:
    """In reverse, since the last one added is taken first; artifacts after sources."""
    ordered = sorted(record.needs, key=lambda need: (need[1].startswith("md5:"), need[0]))
    return ((depth, path, identity) for path, identity in reversed(ordered))


def _by_path(records: Mapping[str, StageRecord]) -> dict[str, Made]:
    return {
        artifact.path: Made(record, artifact) for record in records.values() for artifact in record.artifacts
    }
