"""What `git diff` shows of a notebook: nbdime's words where it is installed, else its text line by line."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from lockgate.hub.notebooks.quick_import import quick_import
from lockgate.project.notebook_text import text_of_notebook


def show(arguments: Sequence[str]) -> str:
    """Print what differs between two states, or return it where nbdime is not there to print it.

    `arguments`: as git gives them (git(1), GIT_EXTERNAL_DIFF): path, old file, its id and mode, new file, ….
    """
    try:
        with quick_import():
            from nbdime.vcs.git.diffdriver import main  # noqa: PLC0415  (0.5 s; extra `jupyter`)
    except ImportError:
        return plain(arguments[0], Path(arguments[1]), Path(arguments[4]))
    main(["diff", *arguments[:7]])
    return ""


def plain(path: str, old: Path, new: Path) -> str:
    """Return what differs in the text of two notebooks, as `diff -u` would."""
    before, after = ([] if str(each) == os.devnull else _lines(each) for each in (old, new))
    lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")
    return "".join(lines)


def _lines(place: Path) -> list[str]:
    return text_of_notebook(place.read_bytes()).splitlines(keepends=True)
