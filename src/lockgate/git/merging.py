"""Merging two commits without a work tree."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.errors import OutsideError
from lockgate.git.program import attempt


class Merged(msgspec.Struct, frozen=True):
    """The tree of a merge; in `conflicts`, the paths that git could not merge, hold both sides with marks."""

    tree: str
    conflicts: tuple[str, ...]


def merge_trees(repository: Path, ours: str, theirs: str) -> Merged:
    """Merge two commits (git-merge-tree(1)); nothing but objects is written.

    Raises `OutsideError`: `git-too-old`, `git-failed` (also for histories that have nothing in common).
    """
    code, output, error = attempt(
        repository, "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs
    )
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    if code in (0, 1) and len(fields[0]) == 40:
        return Merged(fields[0], tuple(dict.fromkeys(path for path in fields[1:] if path)))
    words = error.decode("utf-8", "replace").strip()
    if code == 129 or "usage: git merge-tree" in words:
        raise OutsideError(
            "the hub's git cannot merge by itself",
            "Install git 2.38 or newer there, or merge on your machine and push.",
            code="git-too-old",
        )
    raise OutsideError(
        f"git merge-tree failed: {words.splitlines()[-1] if words else f'exit code {code}'}",
        f"Try it by hand: git -C {repository} merge-tree --write-tree {ours} {theirs}",
        code="git-failed",
    )
