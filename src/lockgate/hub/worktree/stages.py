"""Stages written from a notebook: a cell becomes a script and a stage of it, and comes back as a cell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.data.manifest_file import manifest_text
from lockgate.data.writing import write_whole
from lockgate.errors import OutsideError, UserError
from lockgate.project.editing import with_stage
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE

FOLDER = "stages"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Written(msgspec.Struct, frozen=True):
    """A stage that was written."""

    name: str
    script: str
    is_new: bool


class StageScript(msgspec.Struct, frozen=True):
    """A stage as a cell."""

    name: str
    source: str
    needs: tuple[str, ...] | None
    makes: tuple[str, ...]


def write_stage(
    root: Path,
    name: str,
    source: str,
    needs: Sequence[str],
    makes: Sequence[str],
    resources: Mapping[str, object],
) -> Written:
    """Write `stages/NAME.py` and a stage that runs it; a stage that is there gets the new source and keys.

    Without `needs` it sees the whole project. Raises `UserError`: `stage-name`, `stage-elsewhere` (the stage
    of that name runs something else), `no-manifest`, and what the manifest's reader raises: then nothing is
    written. `OutsideError` (`manifest-unwritable`).
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name of a stage that is a script",
            "Take letters, digits, `_` and `-`, beginning with a letter.",
            code="stage-name",
        )
    script, text = script_path(name), _manifest(root)
    before = {stage.name: stage for stage in parse_manifest(text).stages}
    command = f"python {script}"
    if name in before and before[name].command != command:
        raise UserError(
            f"stage {name} is something else already: {before[name].command or before[name].notebook}",
            f"Take another name, or take [stages.{name}] out of {MANIFEST_FILE}.",
            code="stage-elsewhere",
        )
    keys: dict[str, object] = {"run": command}
    keys["needs"] = list(dict.fromkeys([script, *needs])) if needs else None
    keys["makes"] = list(makes) if makes else None
    changed = with_stage(text, name, keys | dict(resources))
    try:
        (root / FOLDER).mkdir(exist_ok=True)
        write_whole(str(root / script), (source.rstrip("\n") + "\n").encode("utf-8", "surrogateescape"))
        write_whole(str(root / MANIFEST_FILE), changed.encode("utf-8"))
    except OSError as error:
        raise OutsideError(
            f"{error.filename or MANIFEST_FILE} could not be changed: {error.strerror}",
            "Make it a file that can be read and written; then again.",
            code="manifest-unwritable",
        ) from None
    return Written(name, script, name not in before)


def read_stage(root: Path, name: str) -> StageScript:
    """Return a stage that is a script of ours. Raises `UserError`: `stage-unknown`, `no-manifest`."""
    script = script_path(name)
    stage = next((each for each in parse_manifest(_manifest(root)).stages if each.name == name), None)
    file = root / script
    if stage is None or not file.is_file():
        raise UserError(
            f"there is no stage {name} with a script {script}",
            "A cell becomes one by: %%stage NAME",
            code="stage-unknown",
        )
    needs = None if stage.needs is None else tuple(need for need in stage.needs if need != script)
    return StageScript(name, file.read_text("utf-8", "surrogateescape"), needs, tuple(stage.makes))


def script_path(name: str) -> str:
    return f"{FOLDER}/{name}.py"


def _manifest(root: Path) -> str:
    text = manifest_text(root)
    if text is None:
        raise UserError(
            f"there is no {MANIFEST_FILE} in {root}",
            "Let Lockgate propose one: lockgate init",
            code="no-manifest",
        )
    return text
