"""The branch a clone of a bare repository checks out. Hooks call this: no libgit2."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from lockgate.git.revision import first_commit

_ID = re.compile(rb"[0-9a-f]{40}\n")


def default_branch(repository: Path) -> str:
    """Return the full ref of the branch a clone checks out: `ref: REF` in HEAD (gitrepository-layout(5))."""
    try:
        mark, _, ref = (repository / "HEAD").read_text("utf-8", "surrogateescape").strip().partition(" ")
    except OSError:
        return "refs/heads/main"
    return ref if mark == "ref:" else "refs/heads/main"


def default_commit(repository: Path) -> str | None:
    """Return the commit that branch is at, if any; git is asked where it is no file of its own."""
    with contextlib.suppress(OSError):
        content = (repository / default_branch(repository)).read_bytes()
        if _ID.fullmatch(content):
            return content.decode().strip()
    return first_commit(repository, "HEAD")


def has_default_branch(repository: Path) -> bool:
    """Return whether that branch has a commit."""
    return default_commit(repository) is not None
