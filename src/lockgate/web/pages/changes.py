"""What changed between two commits, as files: text by lines, notebooks by cells."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.git.contents import read_many
from lockgate.git.program import attempt
from lockgate.hub.showing import file_diff
from lockgate.hub.showing.notebook_cells import Notebook, read_notebook
from lockgate.hub.showing.notebook_diff import notebook_diff

_DIFF_BYTES = 2_000_000
_NOTEBOOKS_AT_MOST = 30


def diff_of(repository: Path, one: str, other: str, *left_out: str) -> list[file_diff.FileDiff]:
    """Return what changed between two commits or trees, as files."""
    options = (
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--find-renames",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    )
    paths = ("--", ".", *left_out) if left_out else ("--",)
    code, output, _ = attempt(repository, "diff-tree", "-p", *options, one, other, *paths)
    files = file_diff.parse(output[:_DIFF_BYTES]) if code == 0 else []
    notebooks = 0
    shown = []
    for file in files:
        is_notebook = file.path.endswith(".ipynb") and "\n" not in file.path + file.old
        notebooks += is_notebook
        shown.append(
            _by_cells(repository, one, other, file, is_read=notebooks <= _NOTEBOOKS_AT_MOST)
            if is_notebook
            else file
        )
    return shown


def _by_cells(
    repository: Path, one: str, other: str, file: file_diff.FileDiff, *, is_read: bool
) -> file_diff.FileDiff:
    try:
        if not is_read:
            raise ValueError("there are many of them")
        names = (f"{one}:{file.old or file.path}", f"{other}:{file.path}")
        old, new = (_notebook(found.content if found else None) for found in read_many(repository, names))
    except ValueError as error:
        line = file_diff.DiffLine("hunk", f"This notebook is not shown by its cells: {error}.")
        return msgspec.structs.replace(file, lines=(line,), is_cut=False)
    return notebook_diff(file.path, file.status, old, new)


def _notebook(content: bytes | None) -> Notebook | None:
    return read_notebook(content) if content is not None else None
