"""Copies of figures that the hub hands out with a passport in them, where a project asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.data.digest import md5_of
from lockgate.errors import LockgateError
from lockgate.hub.batch_settings import default_manifest
from lockgate.hub.directory import Hub
from lockgate.hub.showing.artifact_content import File, read_file
from lockgate.runs.record import StageRecord
from lockgate.verify.passport import ENDINGS, MOST_BYTES, Passport, stamped


def stamped_copy(hub: Hub, project: str, records: Mapping[str, StageRecord], file: File) -> bytes | None:
    """Return a copy of a figure with its passport; None: the project wants none, or it can carry none.

    `records`: of the run whose file it is. Raises `OutsideError`: `store-missing`, `git-failed`.
    """
    if not file.path.lower().endswith(ENDINGS) or file.size_bytes > MOST_BYTES:
        return None
    try:
        manifest = default_manifest(hub.repository(project))
    except LockgateError:
        return None
    if manifest is None or not manifest.has_passport:
        return None
    maker = next((each for each in records.values() if _has_made(each, file.path)), None)
    if maker is None:
        return None
    content = read_file(hub, project, file, MOST_BYTES)
    said = Passport(
        project=project, run=maker.run, stage=maker.stage, path=file.path, md5=file.md5 or md5_of(content)
    )
    return stamped(content, said)


def _has_made(record: StageRecord, path: str) -> bool:
    return any(path == each.path or path.startswith(f"{each.path}/") for each in record.artifacts)
