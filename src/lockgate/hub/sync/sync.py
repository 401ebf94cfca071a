"""The one button: what is changed is committed, the hub's state merged, and the whole pushed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from lockgate.errors import LockgateError
from lockgate.git.exclude import JUPYTER, exclude_named
from lockgate.git.history import count, is_ancestor, title
from lockgate.git.worktree import changes
from lockgate.hub.notebooks.clone import policy_notes, prepare
from lockgate.hub.notebooks.committed import before_sending, once_sent, unsent_outputs
from lockgate.hub.notebooks.pairing import Stepped, bring_into_step
from lockgate.hub.reaching.address import REMOTE
from lockgate.hub.sync import journal as journals
from lockgate.hub.sync import reaching
from lockgate.hub.sync.conflict import Choice, Conflict
from lockgate.hub.sync.journal import shown
from lockgate.hub.sync.work import Other, Work, mend, require_rest
from lockgate.hub.worktree.home import ensure_remote
from lockgate.hub.worktree.journal import Journal as Notes
from lockgate.hub.worktree.journal import fetch_journals, push_journals
from lockgate.hub.worktree.kernels import kernel_notes

#: So often a push that came too late is merged anew.
_PUSHES = 5


class Trouble(msgspec.Struct, frozen=True):
    """Why not all was done; what is here stays, and the next sync goes on."""

    message: str
    hint: str
    code: str
    is_transient: bool = False


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """How a sync ended."""

    branch: str
    commit: str | None
    committed: str | None = None
    """The title of the commit that was made."""
    got: int = 0
    """Commits that came from the hub."""
    sent: int = 0
    """Commits that went there."""
    changed: tuple[str, ...] = ()
    """Files that were written or removed in the work tree."""
    data: tuple[str, ...] = ()
    """Files and folders that became data, being too large for git."""
    run: str | None = None
    conflicts: tuple[Conflict, ...] = ()
    """What has to be decided first; then nothing here was changed."""
    trouble: Trouble | None = None
    mended: str = ""
    """A sync that was cut off earlier was undone first: how."""
    notes: tuple[str, ...] = ()
    """What of what came concerns who works here, as a kernel that changed."""
    can_undo: bool = False

    @property
    def is_nothing(self) -> bool:
        return not (self.committed or self.got or self.sent or self.conflicts or self.trouble or self.data)


def sync(root: Path, choices: Mapping[str, Choice] = {}) -> Synced:
    """Commit, fetch, merge and push; every file stays as it is until all is decided.

    Raises `UserError`: `merge-under-way`, `detached-head`, `sync-under-way`, `choice-invalid`, `no-conflict`,
    `work-tree-changed`, `ignored-in-the-way`, and those of a snapshot.
    """
    with journals.turn(root) as folder:
        mended = mend(root, folder)
        exclude_named(root, JUPYTER)
        prepared = prepare(root)
        now = require_rest(root)
        paired = bring_into_step(root, now.ignored)
        now = changes(root) if paired.has_written else now
        ensure_remote(root)
        unsent = unsent_outputs(root, prepared.policy)
        done = _Sync(Work(root, folder, now, choices, "sync", prepared)).go()
        if done.trouble is None:
            done = replace(done, trouble=_exchange_journals(root, done))
        notes = kernel_notes(root, now.head, done.commit) if done.got and now.head and done.commit else ()
        since = bring_into_step(root) if done.changed else Stepped()
        notes += (*policy_notes(root, prepared), *dict.fromkeys(paired.notes + since.notes))
        if unsent:
            notes += (once_sent(unsent) if done.sent else before_sending(root, unsent),)
        return replace(done, mended=mended, notes=notes, can_undo=journals.read(folder) is not None)


def _exchange_journals(root: Path, done: Synced) -> Trouble | None:
    """Note the sync, send what this clone's Jupyter captured, and get what the others' did."""
    try:
        if not (done.is_nothing or done.conflicts):
            counts = {"sent": done.sent, "got": done.got}
            evidence: dict[str, object] = {name: count for name, count in counts.items() if count}
            if done.committed:
                evidence["committed"] = done.committed
            Notes(root).note_sync(title_of(done), done.branch, done.commit, evidence)
        push_journals(root)
        fetch_journals(root)
    except LockgateError as error:
        return _trouble(error)
    return None


class _Sync:
    """One sync on its way."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.root = work.root
        self.branch = work.now.branch or ""
        self.trouble: Trouble | None = None

    def go(self) -> Synced:
        now = self.work.now
        try:
            reaching.fetch(self.root)
        except LockgateError as error:
            self.trouble = _trouble(error)
        theirs = None if self.trouble else reaching.tracked(self.root, self.branch)
        if theirs is None and self.trouble is None:
            self.work.require_needed(())
        if now.is_clean and (now.head is None or theirs == now.head):
            if theirs is not None:
                self.work.require_needed(())
            return Synced(branch=self.branch, commit=now.head, trouble=self.trouble)
        try:
            mine = self.work.commit()
            done = self._meet(mine, theirs)
        except LockgateError:
            self.work.take_back()
            raise
        if done.conflicts:
            self.work.take_back()
            return done
        committed = title(self.root, mine) if mine != now.head else None
        return replace(done, committed=committed, data=self.work.data)

    def _meet(self, mine: str, theirs: str | None) -> Synced:
        """Merge with the hub's state, bring that here, push it; anew where the hub moved on meanwhile."""
        work, committed = self.work, mine
        start = work.now.head
        conflicts: tuple[Conflict, ...] = ()
        for _ in range(_PUSHES):
            joined = work.join(committed, self._other(theirs))
            commit, conflicts = joined.commit, joined.conflicts
            if conflicts:
                break
            if commit != work.stands_at:
                work.move(committed, commit)
                committed = commit
            if self.trouble or theirs == commit:
                break
            before = reaching.tracked(self.root, self.branch)
            try:
                sent = reaching.push(self.root, commit, self.branch)
            except LockgateError as error:
                self.trouble = _trouble(error)
                break
            if not sent.is_behind:
                self._note_pushed(commit, before)
                return self._told(start, committed, before, sent.run, is_sent=True)
            try:
                reaching.fetch(self.root)
            except LockgateError as error:
                self.trouble = _trouble(error)
                break
            theirs = reaching.tracked(self.root, self.branch)
        else:
            self.trouble = Trouble(
                "others push faster than this can be merged",
                "Your work is committed here. Sync again in a moment.",
                "hub-busy",
                is_transient=True,
            )
        done = self._told(start, committed, theirs, None, is_sent=False)
        # Once something is merged here, later conflicts are the next sync's
        return replace(done, conflicts=conflicts)

    def _other(self, theirs: str | None) -> Other | None:
        return Other(theirs, f"the hub's {self.branch}", f"{REMOTE}/{self.branch}") if theirs else None

    def _note_pushed(self, commit: str, before: str | None) -> None:
        """Write down that what was last made is on the hub, perhaps only now."""
        folder = self.work.folder
        journal = journals.read(folder)
        if journal is not None and journal.after == commit:
            journals.write(folder, replace(journal, theirs=before, pushed=commit))

    def _told(
        self, start: str | None, commit: str, theirs: str | None, run: str | None, *, is_sent: bool
    ) -> Synced:
        is_met = theirs is not None and is_ancestor(self.root, theirs, commit)
        return Synced(
            branch=self.branch,
            commit=commit,
            got=count(self.root, theirs, start) if theirs and is_met else 0,
            sent=count(self.root, commit, theirs) if is_sent else 0,
            changed=shown(self.work.journal) if self.work.is_moved else (),
            run=run,
            trouble=self.trouble,
        )


def title_of(done: Synced) -> str:
    """Return what a sync did in one line."""
    counts = {"sent": done.sent, "got": done.got}
    words = [f"{verb} {n} commit{'' if n == 1 else 's'}" for verb, n in counts.items() if n]
    return f"Synced {done.branch}" + (f": {', '.join(words)}" if words else "")


def _trouble(error: LockgateError) -> Trouble:
    return Trouble(error.message, error.hint, error.code, getattr(error, "is_transient", False))
