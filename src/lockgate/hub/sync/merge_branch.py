"""Merging a branch into the one checked out: told before, journalled, undone as a sync is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from lockgate.errors import LockgateError, UserError
from lockgate.git.exclude import JUPYTER, exclude_named
from lockgate.git.history import count, is_ancestor, title
from lockgate.git.program import attempt
from lockgate.git.worktree import Changes, Swaps, changes, remotes, snapshot
from lockgate.hub.notebooks.clone import policy_notes, prepare
from lockgate.hub.notebooks.pairing import bring_into_step
from lockgate.hub.reaching.address import REMOTE
from lockgate.hub.sync import journal as journals
from lockgate.hub.sync import reaching
from lockgate.hub.sync.conflict import Choice, Conflict
from lockgate.hub.sync.content import changed_between
from lockgate.hub.sync.journal import readable, shown
from lockgate.hub.sync.message import message_of
from lockgate.hub.sync.work import Joined, Other, Work, mend, require_rest
from lockgate.hub.worktree.kernels import kernel_notes
from lockgate.hub.worktree.large_files import too_large


class BranchMerged(msgspec.Struct, frozen=True, kw_only=True):
    """How a merge ended, or would end."""

    into: str
    branch: str
    """What was merged; with the remote's name where it is as that has it: `hub/trial`."""
    commit: str | None
    """Where `into` stands."""
    commits: int = 0
    """Of the branch, that `into` had not; 0: nothing was to be merged, and nothing was done."""
    committed: str | None = None
    """The title of a commit of what was edited, made first."""
    changed: tuple[str, ...] = ()
    """Files that were, or would be, written or removed in the work tree."""
    data: tuple[str, ...] = ()
    """Files and folders that became data, being too large for git."""
    conflicts: tuple[Conflict, ...] = ()
    """What has to be decided first; then nothing here was changed."""
    notes: tuple[str, ...] = ()
    mended: str = ""
    """A sync or merge that was cut off earlier was undone first: how."""
    is_done: bool = False
    """The work tree has it now."""

    @property
    def is_nothing(self) -> bool:
        return self.commits == 0


def merge_branch(
    root: Path, name: str, choices: Mapping[str, Choice] = {}, *, is_dry: bool = False
) -> BranchMerged:
    """Merge a branch; what is edited is committed first, and every file stays as it is until all is decided.

    `is_dry` only says what would come of it. The hub gets none of it before the next sync. Raises
    `UserError`: `branch-unknown`, `no-commit-yet`, `no-common-history`, `merge-under-way`, `detached-head`,
    `sync-under-way`, `choice-invalid`, `work-tree-changed`, `ignored-in-the-way`, and those of a snapshot.
    """
    with journals.turn(root) as folder:
        mended = mend(root, folder)
        exclude_named(root, JUPYTER)
        prepared = prepare(root)
        now = require_rest(root)
        if not is_dry and bring_into_step(root, now.ignored).has_written:
            now = changes(root)
        if now.head is None:
            raise UserError(
                f"{now.branch} has no commit yet, so there is nothing to merge into",
                "Commit first: lockgate sync",
                code="no-commit-yet",
            )
        notes = _asked_hub(root)
        other, more = _find(root, name)
        commits = count(root, other.commit, now.head)
        done = BranchMerged(into=now.branch or "", branch=other.name, commit=now.head, commits=commits)
        if commits:
            work = Work(root, folder, now, choices, "merge", prepared)
            done = _told(work, other, done) if is_dry else _merge(work, other, done)
        if done.is_done:
            bring_into_step(root)
        return replace(done, mended=mended, notes=(*notes, *more, *done.notes, *policy_notes(root, prepared)))


def _merge(work: Work, other: Other, done: BranchMerged) -> BranchMerged:
    try:
        mine = work.commit()
        joined = work.join(mine, other)
        if not joined.conflicts:
            work.move(mine, joined.commit)
    except LockgateError:
        work.take_back()
        raise
    if joined.conflicts:
        work.take_back()
        return replace(done, conflicts=joined.conflicts)
    head = work.now.head or ""
    return replace(
        done,
        commit=joined.commit,
        committed=title(work.root, mine) if mine != head else None,
        changed=shown(work.journal),
        data=work.data,
        notes=kernel_notes(work.root, head, joined.commit),
        is_done=True,
    )


def _told(work: Work, other: Other, done: BranchMerged) -> BranchMerged:
    """Return what a merge would do; only objects are written."""
    data: list[str] = []

    def left_out(found: Changes) -> Swaps:
        files, folders = too_large(work.root, found)
        data.extend((*files, *folders))
        return Swaps(tuple(data))

    mine = work.now.head or ""
    if not work.now.is_clean:
        mine = snapshot(work.root, message_of(work.now), left_out)
    joined: Joined = work.join(mine, other)
    return replace(
        done,
        committed=title(work.root, mine) if mine != work.now.head else None,
        changed=readable(changed_between(work.root, mine, joined.outcome)),
        data=readable(data),
        conflicts=joined.conflicts,
    )


def _asked_hub(root: Path) -> tuple[str, ...]:
    """Ask the hub for its branches; a branch that is here is merged without it, too."""
    if REMOTE not in remotes(root):
        return ()
    try:
        reaching.fetch(root)
    except LockgateError as error:
        return (f"branches are as the hub last had them: {error.message}",)
    return ()


def _find(root: Path, name: str) -> tuple[Other, tuple[str, ...]]:
    """Return the branch of a name, here or at a remote, and what else is to be said of it.

    One that the hub has newer, with all that is here in it, is merged as the hub has it.
    """
    here = _tip(root, f"refs/heads/{name}", name)
    there = _tip(root, f"refs/remotes/{REMOTE}/{name}", f"{REMOTE}/{name}")
    if here is not None and there is not None and not is_ancestor(root, there.commit, here.commit):
        if is_ancestor(root, here.commit, there.commit):
            return there, ()
        newer = count(root, there.commit, here.commit)
        words = "1 commit that is" if newer == 1 else f"{newer} commits that are"
        return here, (f"{there.name} has {words} not in {name} here, and not merged",)
    found = here or there or _tip(root, f"refs/remotes/{name}", name)
    for remote in sorted(remotes(root)) if found is None else ():
        found = found or _tip(root, f"refs/remotes/{remote}/{name}", f"{remote}/{name}")
    if found is None:
        raise UserError(
            f"there is no branch {name!r}",
            "See the branches, here and at remotes: git branch --all",
            code="branch-unknown",
        )
    return found, ()


def _tip(root: Path, ref: str, name: str) -> Other | None:
    # What git would not take as a word, or a program as an argument, names no branch
    if not name.isprintable():
        return None
    code, output, _ = attempt(root, "show-ref", "--verify", "--hash", "--", ref)
    return Other(output.decode().strip(), name, name) if code == 0 else None
