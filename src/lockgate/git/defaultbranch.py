"""The branch a clone of a bare repository checks out. Hooks call this: no libgit2."""

from __future__ import annotations

from pathlib import Path

from lockgate.git.program import attempt


def default_branch(repository: Path) -> str:
    """Return the full ref of the branch a clone checks out: `ref: REF` in HEAD (gitrepository-layout(5))."""
    try:
        mark, _, ref = (repository / "HEAD").read_text("utf-8", "surrogateescape").strip().partition(" ")
    except OSError:
        return "refs/heads/main"
    return ref if mark == "ref:" else "refs/heads/main"


def has_default_branch(repository: Path) -> bool:
    """Return whether that branch has a commit; git is asked where it is no file of its own."""
    if (repository / default_branch(repository)).is_file():
        return True
    return attempt(repository, "rev-parse", "--verify", "--quiet", "HEAD")[0] == 0
