"""The branch a clone of a bare repository checks out. Hooks call this: it imports next to nothing."""

from __future__ import annotations

from pathlib import Path


def default_branch(repository: Path) -> str:
    """Return the full ref of the branch a clone checks out: `ref: REF` in HEAD (gitrepository-layout(5))."""
    try:
        mark, _, ref = (repository / "HEAD").read_text("utf-8", "surrogateescape").strip().partition(" ")
    except OSError:
        return "refs/heads/main"
    return ref if mark == "ref:" else "refs/heads/main"
