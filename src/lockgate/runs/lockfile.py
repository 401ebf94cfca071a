"""`lockgate.lock`: what the artifacts in this tree were made from. One line a stage, one an artifact.

The form is JSON Lines, sorted, every line whole in itself, so that git's own `merge=union` merges it; of
two records of one stage the later line counts, and a fingerprint that fits neither is simply run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lockgate.errors import UserError
from lockgate.git.listing import FILE
from lockgate.project.pipeline import LOCK_FILE, Kind, Scalar
from lockgate.runs.observation import Use
from lockgate.runs.record import Artifact, StageRecord

FORMAT = 1


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lockgate_lock: int


class _StageLine(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    stage: str
    run: str
    fingerprint: str
    commit: str
    member: str
    ended_at: str
    command: str
    runtime: str
    params: dict[str, Scalar] = {}
    needs: tuple[tuple[str, str], ...] = ()
    undeclared: tuple[Use, ...] = ()
    compared_with: str | None = None


class _ArtifactLine(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    stage: str
    run: str
    artifact: str
    md5: str
    size_bytes: int
    kind: Kind = "file"
    git: str | None = None
    mode: int | None = None
    """None: a plain file."""
    file_count: int = 1


class _Line(msgspec.Struct, frozen=True):
    lockgate_lock: int | None = None
    artifact: str | None = None


_line = msgspec.json.Decoder(_Line)
_head = msgspec.json.Decoder(_Head)
_stage = msgspec.json.Decoder(_StageLine)
_artifact = msgspec.json.Decoder(_ArtifactLine)
_encode = msgspec.json.Encoder().encode


def write_lock(records: Iterable[StageRecord]) -> bytes:
    """Return the file's bytes; the same records give the same bytes."""
    lines: list[bytes] = [_encode(_Head(FORMAT))]
    for record in sorted(records, key=lambda record: record.stage):
        lines.append(
            _encode(
                _StageLine(
                    record.stage,
                    record.run,
                    record.fingerprint,
                    record.commit,
                    record.member,
                    record.ended_at,
                    record.command,
                    record.runtime,
                    dict(sorted(record.params.items())),
                    record.needs,
                    record.undeclared,
                    record.compared_with,
                )
            )
        )
        for made in sorted(record.artifacts, key=lambda artifact: artifact.path):
            lines.append(
                _encode(
                    _ArtifactLine(
                        record.stage,
                        record.run,
                        made.path,
                        made.md5,
                        made.size_bytes,
                        made.kind,
                        made.git,
                        made.mode if made.mode != FILE else None,
                        made.file_count,
                    )
                )
            )
    return b"\n".join(lines) + b"\n"


def read_lock(content: bytes) -> dict[str, StageRecord]:
    """Return stage → record. Raises `UserError` (`lock-damaged`) with the line that cannot be read."""
    stages: dict[str, _StageLine] = {}
    artifacts: dict[tuple[str, str], dict[str, Artifact]] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            kind = _line.decode(line)
            if kind.lockgate_lock is not None:
                _check_format(_head.decode(line).lockgate_lock)
            elif kind.artifact is not None:
                made = _artifact.decode(line)
                artifacts.setdefault((made.stage, made.run), {})[made.artifact] = Artifact(
                    path=made.artifact,
                    kind=made.kind,
                    size_bytes=made.size_bytes,
                    md5=made.md5,
                    git=made.git,
                    mode=made.mode if made.mode is not None else FILE,
                    file_count=made.file_count,
                )
            else:
                stage = _stage.decode(line)
                stages[stage.stage] = stage
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserError(
                f"{LOCK_FILE}:{number}: not a line of a lock file: {error}",
                f"Take the hub's version: git checkout hub/main -- {LOCK_FILE}; or delete it and run again.",
                code="lock-damaged",
            ) from None
    return {name: _record(line, artifacts.get((name, line.run), {})) for name, line in stages.items()}


def _check_format(found: int) -> None:
    if found != FORMAT:
        raise UserError(
            f"{LOCK_FILE} has format {found}; this Lockgate reads format {FORMAT}",
            "Update Lockgate: pip install --upgrade lockgate",
            code="lock-format",
        )


def _record(line: _StageLine, artifacts: Mapping[str, Artifact]) -> StageRecord:
    return StageRecord(
        stage=line.stage,
        fingerprint=line.fingerprint,
        run=line.run,
        commit=line.commit,
        member=line.member,
        ended_at=line.ended_at,
        command=line.command,
        runtime=line.runtime,
        params=line.params,
        needs=line.needs,
        undeclared=line.undeclared,
        compared_with=line.compared_with,
        artifacts=tuple(artifacts.values()),
    )
