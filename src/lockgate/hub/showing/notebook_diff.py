"""What changed in a notebook, cell by cell, as lines to be shown like any other change. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from lockgate.hub.showing.file_diff import DiffLine, FileDiff
from lockgate.hub.showing.notebook_cells import Cell, Notebook

LINES_AT_MOST = 1500
_LONGEST_LINES = 2000
_NO_CELL = Cell("raw", "")


def notebook_diff(path: str, status: str, old: Notebook | None, new: Notebook | None) -> FileDiff:
    """Return the changes of a notebook; None: there is none on this side."""
    before, after = (old.cells if old else ()), (new.cells if new else ())
    lines = list(_lines(before, after))
    added, removed = (sum(line.kind == kind for line in lines) for kind in ("add", "del"))
    if not lines:
        lines = [DiffLine("hunk", "Its cells are the same; what differs is how the notebook is kept.")]
    return FileDiff(path, status, tuple(lines[:LINES_AT_MOST]), added, removed, len(lines) > LINES_AT_MOST)


def _lines(before: Sequence[Cell], after: Sequence[Cell]) -> Iterator[DiffLine]:
    old_keys, new_keys = ([(cell.kind, cell.source) for cell in cells] for cells in (before, after))
    matcher = difflib.SequenceMatcher(None, old_keys, new_keys, autojunk=False)
    for what, i1, i2, j1, j2 in matcher.get_opcodes():
        for step in range(max(i2 - i1, j2 - j1)):
            at, there = i1 + step, j1 + step
            old = before[at] if at < i2 else None
            new = after[there] if there < j2 else None
            number = there + 1 if new is not None else at + 1
            if what != "equal":
                yield from _cell(number, old, new)
            yield from _outputs(number, old or _NO_CELL, new or _NO_CELL)


def _cell(number: int, old: Cell | None, new: Cell | None) -> Iterator[DiffLine]:
    cell = new or old or _NO_CELL
    word = "added" if old is None else "removed" if new is None else "changed"
    yield DiffLine("hunk", f"Cell {number}, {cell.kind}: {word}")
    yield from _changes((old or _NO_CELL).source, (new or _NO_CELL).source)


def _outputs(number: int, old: Cell, new: Cell) -> Iterator[DiffLine]:
    if old.outputs == new.outputs:
        return
    before, after = ("\n".join(output.plain for output in cell.outputs) for cell in (old, new))
    lines = list(_changes(before, after))
    yield DiffLine("hunk", f"Cell {number}, output" + ("" if lines else ": what it shows differs"))
    yield from lines


def _changes(old: str, new: str) -> Iterator[DiffLine]:
    before, after = old.splitlines()[:_LONGEST_LINES], new.splitlines()[:_LONGEST_LINES]
    kinds = {"+": "add", "-": "del"}
    for number, line in enumerate(difflib.unified_diff(before, after, lineterm="", n=3)):
        if number > 1 and not line.startswith("@@"):
            yield DiffLine(kinds.get(line[:1], ""), line)
