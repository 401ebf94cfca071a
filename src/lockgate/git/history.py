"""What lies between two commits."""

from __future__ import annotations

from pathlib import Path

from lockgate.git.program import attempt, git


def is_ancestor(root: Path, old: str, new: str) -> bool:
    """Say whether a commit is part of another's history."""
    return attempt(root, "merge-base", "--is-ancestor", old, new)[0] == 0


def count(root: Path, new: str, old: str | None) -> int:
    """Return how many commits `new` has that `old` has not; all of them where that is None."""
    return int(git(root, "rev-list", "--count", new, *([f"^{old}"] if old else [])))


def title(root: Path, commit: str) -> str:
    """Return the first line of a commit's message."""
    return git(root, "log", "-1", "--format=%s", commit).decode("utf-8", "replace").strip()
