"""The one button: what is changed is committed, the hub's state merged, and the whole pushed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from lockgate.data.add import add
from lockgate.data.clone import open_clone
from lockgate.data.pointer import pointer_file
from lockgate.errors import LockgateError, UserError
from lockgate.git.exclude import JUPYTER, exclude, exclude_named
from lockgate.git.program import attempt, git
from lockgate.git.switch import operation_under_way
from lockgate.git.worktree import Changes, changes, commit_tree, snapshot
from lockgate.hub.home import ensure_remote
from lockgate.hub.journal import fetch_journals, push_journals
from lockgate.hub.kernels import kernel_notes
from lockgate.hub.large_files import swaps_for
from lockgate.hub.sync import journal as journals
from lockgate.hub.sync import moving, reaching
from lockgate.hub.sync.conflict import Choice, Conflict
from lockgate.hub.sync.content import Touched, kept
from lockgate.hub.sync.journal import Journal
from lockgate.hub.sync.merging import merge
from lockgate.hub.sync.message import message_of
from lockgate.runs.runid import new_run_id

#: So often a push that came too late is merged anew.
_PUSHES = 5
#: What makes a folder one of DVC's: written with the first pointer.
_DVC = (".dvc/.gitignore", ".dvc/config", ".dvcignore")


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

    Raises `UserError`: `merge-under-way`, `detached-head`, `sync-under-way`, `choice-invalid`,
    `work-tree-changed`, `ignored-in-the-way`, and those of a snapshot.
    """
    with journals.turn(root) as folder:
        mended = mend(root, folder)
        exclude_named(root, JUPYTER)
        now = _require(root)
        ensure_remote(root)
        done = _Sync(root, folder, now, choices).go()
        if done.trouble is None:
            done = replace(done, trouble=_exchange_journals(root))
        notes = kernel_notes(root, now.head, done.commit) if done.got and now.head and done.commit else ()
        return replace(done, mended=mended, notes=notes, can_undo=journals.read(folder) is not None)


def mend(root: Path, folder: Path) -> str:
    """Undo a sync that was cut off; return that in words, nothing where there was none."""
    journal = journals.read(folder)
    if journal is None or journal.state == "moved":
        return ""
    left = moving.edited_since(root, journal)
    moving.put_back(root, folder, journal, left)
    words = "An earlier sync was cut off; what it had begun was undone first."
    return words + (f" Left as they are: {', '.join(left[:5])}" if left else "")


def _exchange_journals(root: Path) -> Trouble | None:
    """Send what this clone's Jupyter captured, and get what the others' did."""
    try:
        push_journals(root)
        fetch_journals(root)
    except LockgateError as error:
        return _trouble(error)
    return None


class _Sync:
    """One sync on its way."""

    def __init__(self, root: Path, folder: Path, now: Changes, choices: Mapping[str, Choice]) -> None:
        self.root = root
        self.folder = folder
        self.now = now
        self.choices = choices
        self.branch = now.branch or ""
        self.ref = f"refs/heads/{now.branch}"
        self.trouble: Trouble | None = None

    def go(self) -> Synced:
        try:
            reaching.fetch(self.root)
        except LockgateError as error:
            self.trouble = _trouble(error)
        theirs = None if self.trouble else reaching.tracked(self.root, self.branch)
        is_clean = self.now.is_clean
        if is_clean and (self.now.head is None or theirs == self.now.head):
            return Synced(branch=self.branch, commit=self.now.head, trouble=self.trouble)
        begun = self._begin()
        data: tuple[str, ...] = ()
        try:
            if not is_clean:
                begun, data = self._data(begun)
            mine = self._commit() if not is_clean else self.now.head or ""
            done = self._meet(begun, mine, theirs)
        except LockgateError:
            self._take_back(begun)
            raise
        if done.conflicts:
            self._take_back(begun)
            return done
        committed = _title(self.root, mine) if mine != self.now.head else None
        return replace(done, committed=committed, data=data)

    def _begin(self) -> Journal:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return Journal(id=new_run_id(), state="begun", at=at, branch=self.ref, head=self.now.head)

    def _take_back(self, begun: Journal) -> None:
        """Files that became data are as before again; without any, nothing was touched yet."""
        journal = journals.read(self.folder)
        if journal is not None and journal.id == begun.id and journal.state != "moved":
            moving.put_back(self.root, self.folder, journal)

    def _data(self, begun: Journal) -> tuple[Journal, tuple[str, ...]]:
        """Make data of what is too large for git, in the work tree too."""
        dvc = kept(self.root, _DVC)
        large = swaps_for(self.root, self.now).out
        if not large:
            return begun, ()
        folders = {path.rpartition("/")[0] for path in large}
        paths = [pointer_file(path) for path in large]
        paths += [f"{folder}/.gitignore".lstrip("/") for folder in sorted(folders)]
        before = kept(self.root, paths) | dvc
        paths += _DVC
        touched = tuple(Touched(path, before[path], None, is_open=True) for path in paths)
        opened = journals.open_with(self.root, self.folder, begun, touched)
        # Where the folder itself is taken back, the bytes in it stay, unseen
        exclude(self.root, (".dvc/cache", ".dvc/tmp"))
        add(open_clone(str(self.root)), list(large))
        after = kept(self.root, paths)
        touched = tuple(Touched(path, before[path], after[path]) for path in paths)
        journals.write(self.folder, replace(opened, touched=touched))
        self.now = changes(self.root)
        return replace(opened, touched=touched), large

    def _commit(self) -> str:
        """Return a commit of everything; the one that is there, if nothing git keeps differs."""
        return snapshot(self.root, message_of(self.now))

    def _meet(self, begun: Journal, mine: str, theirs: str | None) -> Synced:
        """Merge with the hub's state, bring that here, push it; anew where the hub moved on meanwhile."""
        journal, committed = begun, mine
        conflicts: tuple[Conflict, ...] = ()
        start = self.now.head
        moved = False
        for _ in range(_PUSHES):
            commit, conflicts = self._merged(committed, theirs)
            if conflicts:
                break
            if commit != (journal.after if moved else start):
                journal = moving.move(self.root, self.folder, journal, committed, commit)
                moved, committed = True, commit
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
                return self._told(
                    start, committed, before, journal if moved else None, sent.run, is_sent=True
                )
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
        done = self._told(start, committed, theirs, journal if moved else None, None, is_sent=False)
        # Once something is merged here, later conflicts are the next sync's
        return replace(done, conflicts=conflicts)

    def _note_pushed(self, commit: str, before: str | None) -> None:
        """Write down that what the last sync made is on the hub, perhaps only now."""
        journal = journals.read(self.folder)
        if journal is not None and journal.after == commit:
            journals.write(self.folder, replace(journal, theirs=before, pushed=commit))

    def _merged(self, mine: str, theirs: str | None) -> tuple[str, tuple[Conflict, ...]]:
        if theirs is None or theirs == mine or _is_ancestor(self.root, theirs, mine):
            return mine, ()
        if _is_ancestor(self.root, mine, theirs):
            return theirs, ()
        if attempt(self.root, "merge-base", mine, theirs)[0] != 0:
            raise UserError(
                f"{self.branch} here and on the hub have no history in common",
                "Is `hub` the right one? See: git remote -v. To join them: git merge"
                f" --allow-unrelated-histories hub/{self.branch}",
                code="no-common-history",
            )
        found = merge(self.root, mine, theirs, self.choices)
        if found.conflicts:
            return mine, found.conflicts
        message = f"Merge the hub's {self.branch}\n"
        return commit_tree(self.root, found.tree, mine, message, theirs), ()

    def _told(
        self, start: str | None, commit: str, theirs: str | None, journal: Journal | None, run: str | None,
        *, is_sent: bool,
    ) -> Synced:  # fmt: skip
        got = _count(self.root, theirs, start) if theirs and _is_ancestor(self.root, theirs, commit) else 0
        return Synced(
            branch=self.branch,
            commit=commit,
            got=got,
            sent=_count(self.root, commit, theirs) if is_sent else 0,
            changed=shown(journal) if journal else (),
            run=run,
            trouble=self.trouble,
        )


def shown(journal: Journal, left: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the paths a sync changed, for a reader: names that are no UTF-8 as they can be told."""
    return tuple(
        sorted(
            each.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            for each in journal.touched
            if each.path not in left
        )
    )


def _require(root: Path) -> Changes:
    now = changes(root)
    busy = operation_under_way(root) or ("merge" if now.unmerged else None)
    if busy:
        raise UserError(
            f"a {busy} is under way",
            f"Finish it (git {busy} --continue) or leave it (git {busy} --abort), then sync again.",
            code="merge-under-way",
        )
    if now.branch is None:
        raise UserError(
            "no branch is checked out (HEAD is detached)",
            "Check one out: git switch main; or make one here: git switch -c NAME",
            code="detached-head",
        )
    return now


def _is_ancestor(root: Path, old: str, new: str) -> bool:
    return attempt(root, "merge-base", "--is-ancestor", old, new)[0] == 0


def _count(root: Path, new: str, old: str | None) -> int:
    return int(git(root, "rev-list", "--count", new, *([f"^{old}"] if old else [])))


def _title(root: Path, commit: str) -> str:
    return git(root, "log", "-1", "--format=%s", commit).decode("utf-8", "replace").strip()


def _trouble(error: LockgateError) -> Trouble:
    return Trouble(error.message, error.hint, error.code, getattr(error, "is_transient", False))
