"""Going back: the work tree and branch as they were at a run or activity, as a new commit."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.git.program import attempt, git
from lockgate.git.switch import require_branch, switch
from lockgate.git.worktree import changes, commit_tree, snapshot
from lockgate.hub.worktree.fetching import fetch_commit
from lockgate.hub.worktree.history import SEARCHED, Entry, entries
from lockgate.project.pipeline import LOCK_FILE
from lockgate.project.snapshot import CommitSource
from lockgate.runs.lockfile import read_lock
from lockgate.runs.runid import LENGTH, short

UNDO = "refs/lockgate/undo/"

_HEX = re.compile(r"[0-9a-f]{4,40}")
_ENDING = re.compile(r"[0-9A-HJKMNP-TV-Z]{4,26}")


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A state to go back to."""

    commit: str
    title: str
    """As it stands in the new commit's message: `run 8F3KQ2ZD`, `activity 3fa91c20bb`."""
    trailer: str
    """The run's whole id, or the activity's."""
    is_snapshot: bool = False
    """The run did not succeed: this is what was pushed, without results."""


class RolledBack(msgspec.Struct, frozen=True, kw_only=True):
    """What was done. `undo`: the ref that keeps uncommitted work, `bring_back` the command for it."""

    state: State
    branch: str
    commit: str
    undo: str | None = None
    bring_back: str | None = None
    large: tuple[str, ...] = ()
    """Artifacts of that state which git does not hold."""


def find_state(found: Iterable[Entry], text: str) -> State:
    """Return the state meant by the end of a run's id or the beginning of an activity's.

    Raises `UserError`: `run-unknown`, `run-ambiguous`, `activity-no-state`.
    """
    ending, start = text.strip().upper(), text.strip().lower()
    states: dict[str, State] = {}
    running: set[str] = set()
    for entry in found:
        run = entry.activity.run
        if run is not None and _ENDING.fullmatch(ending) and run.endswith(ending):
            if entry.activity.kind == "run.finished":
                states[run] = _of_run(entry, run)
            else:
                running.add(run)
        if _HEX.fullmatch(start) and entry.id.startswith(start):
            states[entry.id] = _of_activity(entry)
    if len(states) > 1:
        raise UserError(
            f"{text} could be several", f"Write more of it: {', '.join(states)}", code="run-ambiguous"
        )
    if states:
        return next(iter(states.values()))
    if running:
        raise UserError(f"run {text} has not ended yet", "Wait for it: lockgate logs -f", code="run-unknown")
    raise UserError(
        f"the activity chain knows no run or activity {text}",
        "Those there are: lockgate log; give at least 4 characters.",
        code="run-unknown",
    )


def _of_run(entry: Entry, run: str) -> State:
    evidence = entry.activity.evidence
    request = evidence.get("request")
    pushed = request.get("commit") if isinstance(request, dict) else None
    is_good = evidence.get("outcome") == "succeeded"
    commit = evidence.get("result") if is_good else pushed
    if not isinstance(commit, str):
        raise _no_state(entry)
    # Cut to what a message shows: the id comes from the chain, not from this project
    return State(commit=commit, title=f"run {short(run)}", trailer=run[:LENGTH], is_snapshot=not is_good)


def _of_activity(entry: Entry) -> State:
    if entry.activity.run is not None and entry.activity.kind == "run.finished":
        return _of_run(entry, entry.activity.run)
    if entry.activity.commit is None:
        raise _no_state(entry)
    return State(commit=entry.activity.commit, title=f"activity {entry.id[:10]}", trailer=entry.id)


def _no_state(entry: Entry) -> UserError:
    return UserError(
        f"activity {entry.id[:10]} ({entry.activity.title}) names no state of the project",
        "Choose a run: lockgate runs",
        code="activity-no-state",
    )


def state_of(root: Path, text: str) -> State:
    """Return the state named, found in the work tree's copy of the chain, its commit brought here."""
    state = find_state(entries(root, SEARCHED), text)
    if re.fullmatch(r"[0-9a-f]{40}", state.commit) is None:
        raise UserError(
            f"the chain's entry of {state.title} names no commit",
            "Verify it: lockgate log --verify",
            code="activity-no-state",
        )
    fetch_commit(root, state.commit)
    return state


def differences(root: Path, state: State) -> list[str]:
    """Return the paths of HEAD that going back changes, removes or brings, sorted."""
    output = git(root, "diff-tree", "-r", "-z", "--no-renames", "--name-only", "HEAD", state.commit)
    return sorted(path for path in output.decode("utf-8", "backslashreplace").split("\0") if path)


def roll_back(root: Path, state: State) -> RolledBack:
    """Make the work tree and the branch as that state was, by one new commit.

    Uncommitted work, files git does not know yet included, is kept under a ref first. Files that
    `.gitignore` names are neither kept nor touched.
    Raises `UserError`: `nothing-to-change`, `no-commit-yet`, `detached-head`, `merge-under-way`,
    `ignored-in-the-way`, `work-tree-changed`, and those of a snapshot; `OutsideError`: `git-failed`.
    """
    branch, head = require_branch(root)
    tree = git(root, "rev-parse", "--verify", f"{state.commit}^{{tree}}").decode().strip()
    is_there = tree == git(root, "rev-parse", f"{head}^{{tree}}").decode().strip()
    if is_there and changes(root).is_clean:
        raise UserError(
            f"the work tree is as {state.title} left it: there is nothing to change",
            "Other runs: lockgate runs",
            code="nothing-to-change",
        )
    before = snapshot(root, f"Uncommitted work, before going back to {state.title}")
    undo = keep_uncommitted(root, before) if before != head else None
    commit = head
    if not is_there:
        message = f"Roll back to {state.title}\n\nLockgate-Rollback: {state.trailer}\n"
        commit = commit_tree(root, tree, head, message)
    try:
        switch(root, before, commit, branch, head, f"rollback: to {state.title}")
    except UserError:
        # Nothing was changed, so there is nothing to bring back
        if undo is not None:
            attempt(root, "update-ref", "-d", undo, before)
        raise
    return RolledBack(
        state=state,
        branch=branch.removeprefix("refs/heads/"),
        commit=commit,
        undo=undo,
        bring_back=f"git restore --source={undo} -- :/" if undo else None,
        large=large_at(root, commit),
    )


def keep_uncommitted(root: Path, commit: str) -> str:
    """Keep a commit under a ref named by the time, never one that is there."""
    stem = UNDO + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for number in range(1, 1000):
        name = stem if number == 1 else f"{stem}-{number}"
        if attempt(root, "update-ref", name, commit, "0" * 40)[0] == 0:
            return name
    raise UserError(
        f"too many refs begin with {stem}", f"Delete old ones: git update-ref -d {stem}", code="ref-conflict"
    )


def large_at(root: Path, commit: str) -> tuple[str, ...]:
    content = CommitSource(root, commit).read([LOCK_FILE]).get(LOCK_FILE)
    if content is None:
        return ()
    try:
        records = read_lock(content)
    except UserError:
        return ()
    return tuple(
        sorted(made.path for record in records.values() for made in record.artifacts if made.git is None)
    )
