"""Having no more of notebooks in git than the project says, also of what was committed without our filter."""

from __future__ import annotations

from pathlib import Path

from lockgate.git.worktree import commit_tree
from lockgate.hub.notebooks.bringing import stripped
from lockgate.hub.notebooks.clone import Prepared
from lockgate.hub.notebooks.policy import Executed, policy_of
from lockgate.hub.sync.content import changed_between
from lockgate.hub.sync.merging import tree_with
from lockgate.project.outputs import OutputPolicy
from lockgate.project.pipeline import LOCK_FILE, MANIFEST_FILE
from lockgate.project.snapshot import CommitSource

_MESSAGE = "Keep outputs of notebooks out of git\n"


def policy_at(root: Path, commit: str, prepared: Prepared) -> OutputPolicy:
    """Return what a commit's manifest says, in a clone that is set up for it."""
    if not prepared.is_on:
        return "keep"
    manifest = CommitSource(root, commit).read([MANIFEST_FILE]).get(MANIFEST_FILE)
    return policy_of(manifest) or prepared.policy


def put_right(root: Path, committed: str, commit: str, theirs: str | None, prepared: Prepared) -> str:
    """Return `commit`, or one after it whose notebooks are as the project wants them in git.

    Looked at is what differs from the work tree (`committed`) and from the hub (`theirs`), and everything
    where the policy is new in this clone.
    """
    policy = policy_at(root, commit, prepared)
    if policy == "keep":
        return commit
    source = CommitSource(root, commit)
    lock = source.read([LOCK_FILE]).get(LOCK_FILE)
    paths = Executed(lock).others(source.files())
    if theirs is not None and policy == prepared.before:
        changed = {*changed_between(root, theirs, commit), *changed_between(root, committed, commit)}
        paths = [path for path in paths if path in changed]
    solved = stripped(root, {path: source.files()[path] for path in paths})
    return commit_tree(root, tree_with(root, commit, solved), commit, _MESSAGE) if solved else commit
