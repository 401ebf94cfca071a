"""Declaring or allowing what stages were seen to use: lines in the project's `lockgate.toml`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lockgate.data.manifest_file import manifest_text, write_manifest
from lockgate.errors import UserError
from lockgate.hub.worktree.standing import Undeclared
from lockgate.project.editing import with_need, with_undeclared
from lockgate.runs.observation import is_path_inside


def declare(
    root: Path, seen: Sequence[Undeclared], added: Sequence[str], ignored: Sequence[str]
) -> tuple[str, ...]:
    """Add files to the needs of the stages seen to use them, and to what may be used undeclared; return
    what was done, in words. The file is written once, whole, or not at all.

    Raises `UserError`: `use-unknown` (no stage was seen to use it), `use-outside` (no need can name it),
    `manifest-not-edited`; `OutsideError` (`manifest-unwritable`).
    """
    text = manifest_text(root) or ""
    said = []
    for what in added:
        for stage in _stages(seen, what):
            text = with_need(text, stage, what)
            said.append(f"{what} is among the needs of {stage} now")
    for what in ignored:
        text = with_undeclared(text, what)
        said.append(f"{what} may be used undeclared now")
    write_manifest(root, text)
    return tuple(said)


def _stages(seen: Sequence[Undeclared], what: str) -> list[str]:
    if not is_path_inside(what):
        raise UserError(
            f"{what} is no file of the project, so no stage can declare it as a need",
            "Copy what is read into the project (a large file by `lockgate data add`), make a variable a"
            f" parameter; or let it be: lockgate status --ignore '{what}'",
            code="use-outside",
        )
    groups = list(dict.fromkeys(each.group for each in seen if each.use.what == what))
    if not groups:
        raise UserError(
            f"no stage was seen to use {what} without declaring it",
            "What was seen: lockgate status",
            code="use-unknown",
        )
    return groups
