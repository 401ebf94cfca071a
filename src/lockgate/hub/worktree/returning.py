"""Before going back: what it would change; and a branch that begins at an earlier state."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.git.program import attempt, git
from lockgate.git.refs import update_ref
from lockgate.git.switch import require_branch, switch
from lockgate.git.worktree import snapshot
from lockgate.hub.worktree.fetching import fetch_commit
from lockgate.hub.worktree.rollback import RolledBack, State, keep_uncommitted, large_at

_NAMED = 200


class Foreseen(msgspec.Struct, frozen=True):
    """What going back would do to the work tree as it is, uncommitted work included."""

    title: str
    changed: tuple[str, ...]
    """Paths, sorted; the first ones."""
    count: int
    is_uncommitted: bool
    """There is work that is not committed; it would be kept under a ref."""


def foresee_return(root: Path, state: State) -> Foreseen:
    """Raises as `roll_back`."""
    _, head = require_branch(root)
    fetch_commit(root, state.commit)
    now = snapshot(root, "The work tree as it is")
    output = git(root, "diff-tree", "-r", "-z", "--no-renames", "--name-only", now, state.commit)
    paths = sorted(path for path in output.decode("utf-8", "backslashreplace").split("\0") if path)
    return Foreseen(state.title, tuple(paths[:_NAMED]), len(paths), now != head)


def branch_off(root: Path, state: State, name: str) -> RolledBack:
    """Begin a branch at an earlier state, check it out, and bring the work tree there.

    What is not committed is kept under a ref first. Where that fails, all is as before.
    Raises `UserError`: `ref-name`, `ref-conflict`, and those of `roll_back`.
    """
    ref = f"refs/heads/{name}"
    if name.startswith("-") or attempt(root, "check-ref-format", ref)[0] != 0:
        raise UserError(
            f"{name!r} is no name for a branch",
            "Letters, digits, `-`, `_` and `/` are good.",
            code="ref-name",
        )
    old, head = require_branch(root)
    fetch_commit(root, state.commit)
    before = snapshot(root, f"Uncommitted work, before branching from {state.title}")
    if not update_ref(root, ref, head, None):
        raise UserError(f"there is a branch {name} already", "Choose another name.", code="ref-conflict")
    undo = keep_uncommitted(root, before) if before != head else None
    git(root, "symbolic-ref", "-m", f"branch: from {state.title}", "HEAD", ref)
    try:
        switch(root, before, state.commit, ref, head, f"branch: from {state.title}")
    except BaseException:
        git(root, "symbolic-ref", "HEAD", old)
        update_ref(root, ref, None, head)
        if undo is not None:
            attempt(root, "update-ref", "-d", undo, before)
        raise
    return RolledBack(
        state=state,
        branch=name,
        commit=state.commit,
        undo=undo,
        bring_back=f"git restore --source={undo} -- :/" if undo else None,
        large=large_at(root, state.commit),
    )
