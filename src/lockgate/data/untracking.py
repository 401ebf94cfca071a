"""Taking out of git's index what became data. No byte of the work tree is touched."""

from __future__ import annotations

from pathlib import Path

from lockgate.git.program import git


def untrack(root: str, path: str) -> bool:
    """Remove a file, or all in a folder, from the index; return whether anything of it was there."""
    literal = f":(top,literal){path}"
    if not git(Path(root), "ls-files", "-z", "--", literal):
        return False
    git(Path(root), "rm", "-r", "-q", "--cached", "--sparse", "-f", "--", literal)
    return True
