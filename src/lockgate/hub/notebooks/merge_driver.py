"""What `git merge`, `git rebase` and `git stash pop` do with a notebook that both sides changed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError
from lockgate.git.program import attempt
from lockgate.hub.notebooks.cell import CellChoice
from lockgate.hub.notebooks.merge import Merge, is_notebook, merge
from lockgate.project.outputs import NotebookError, without_outputs

_EMPTY = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


class Driven(msgspec.Struct, frozen=True):
    """The merged file, and what is left to do about it in words; empty: nothing."""

    content: bytes
    trouble: str = ""


def drive(
    base: bytes, ours: bytes, theirs: bytes, *, marker_size: int = 7, has_outputs: bool = True
) -> Driven:
    """Merge three notebooks by cell, or by line where nbdime is not installed or one of them is none.

    A cell that both changed holds both sides between git's marks, so that the notebook can still be opened.
    `has_outputs`: whether outputs may be in git. Raises `OutsideError` (`git-failed`).
    """
    if not has_outputs:
        base, ours, theirs = (_without(each) for each in (base, ours, theirs))
    if is_notebook(ours) and is_notebook(theirs):
        found = merge(base if is_notebook(base) else _EMPTY, ours, theirs)
        if found is not None:
            return _by_cell(found, marker_size)
    return _by_line(base, ours, theirs, marker_size)


def _by_cell(found: Merge, marker_size: int) -> Driven:
    choices = {
        cell.key: CellChoice(
            "edit",
            _marked(
                found.base_source(cell.key).encode(),
                (cell.mine or "").encode(),
                (cell.theirs or "").encode(),
                marker_size,
            ).decode("utf-8", "replace"),
        )
        for cell in found.cells
    }
    labels = ", ".join(cell.label.lower() for cell in found.cells)
    trouble = f"both changed {labels}: look for <<<<<<< in the notebook" if labels else ""
    return Driven(found.solve(choices), trouble)


def _by_line(base: bytes, ours: bytes, theirs: bytes, marker_size: int) -> Driven:
    merged, count = _merge_file(base, ours, theirs, marker_size)
    if count:
        return Driven(merged, "both changed the same lines")
    if is_notebook(ours) and is_notebook(theirs) and not is_notebook(merged):
        return Driven(
            ours, "merged by line it would be no notebook; this is ours, and theirs is: git show :3:PATH"
        )
    return Driven(merged)


def _marked(base: bytes, ours: bytes, theirs: bytes, marker_size: int) -> bytes:
    """Return one cell's text with what differs between marks, for which each line needs an end."""
    three = [text + b"\n" if text and not text.endswith(b"\n") else text for text in (base, ours, theirs)]
    return _merge_file(three[0], three[1], three[2], marker_size)[0].removesuffix(b"\n")


def _merge_file(base: bytes, ours: bytes, theirs: bytes, marker_size: int) -> tuple[bytes, int]:
    with tempfile.TemporaryDirectory(prefix="lockgate-merge-") as name:
        for side, content in (("ours", ours), ("base", base), ("theirs", theirs)):
            Path(name, side).write_bytes(content)
        words = (
            "merge-file",
            "-p",
            f"--marker-size={marker_size}",
            "-L",
            "ours",
            "-L",
            "base",
            "-L",
            "theirs",
        )
        code, output, error = attempt(Path(name), *words, "ours", "base", "theirs")
    if code >= 128:
        raise OutsideError(
            f"git merge-file failed: {error.decode('utf-8', 'replace').strip()[-300:]}",
            "Is one of them binary? Take one side: git checkout --ours PATH",
            code="git-failed",
        )
    return output, code


def _without(content: bytes) -> bytes:
    try:
        return without_outputs(content)
    except NotebookError:
        return content
