"""The executed copy of a notebook: brought beside the one in the work tree, and compared by cells."""

from __future__ import annotations

import posixpath
from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.git.exclude import exclude
from lockgate.hub.reaching.address import address
from lockgate.hub.showing.notebook_cells import MOST_BYTES, Notebook, read_notebook
from lockgate.hub.showing.notebook_diff import notebook_diff
from lockgate.hub.worktree.asking import ask_run
from lockgate.hub.worktree.opening import FOLDER_OF_ALL
from lockgate.hub.worktree.results import Results
from lockgate.runs.runid import short


class Line(msgspec.Struct, frozen=True):
    """`kind`: add, del, hunk, or "" for a line around them."""

    kind: str
    text: str


class Beside(msgspec.Struct, frozen=True):
    """`copy`: where the executed notebook lies now, below the project's root. Git ignores it."""

    copy: str
    lines: tuple[Line, ...]
    added: int
    removed: int
    is_cut: bool


def bring(root: Path, run: str, executed: str, mine: str) -> Beside:
    """Place what a run executed beside a notebook, and tell in what the two differ.

    Raises `UserError` (`artifact-unknown`, `notebook-unreadable`) and what `Results.read` raises.
    """
    place = address(None, None, root)
    view = ask_run(place, run)
    content = Results(root, place, view).read(executed, MOST_BYTES + 1)
    copy = f"{FOLDER_OF_ALL}/{short(view.line.id)}/{posixpath.basename(executed)}"
    exclude(root, [FOLDER_OF_ALL])
    target = root / copy
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    here = root / mine
    found = notebook_diff(
        mine,
        "changed",
        _read(here.read_bytes(), mine) if here.is_file() else None,
        _read(content, executed),
    )
    lines = tuple(Line(line.kind, line.text) for line in found.lines)
    return Beside(copy, lines, found.added, found.removed, found.is_cut)


def _read(content: bytes, path: str) -> Notebook:
    try:
        return read_notebook(content)
    except ValueError as error:
        raise UserError(
            f"{path} cannot be compared by cells: {error}",
            "Open both files to look at them.",
            code="notebook-unreadable",
        ) from None
