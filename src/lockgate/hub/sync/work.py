"""A member's work on its way to meet somebody else's: committed, merged, moved to; taken back as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from lockgate.data.add import add
from lockgate.data.clone import open_clone
from lockgate.data.pointer import pointer_file
from lockgate.errors import UserError
from lockgate.git.exclude import exclude
from lockgate.git.history import is_ancestor
from lockgate.git.program import attempt
from lockgate.git.switch import operation_under_way
from lockgate.git.worktree import Changes, changes, commit_tree, snapshot
from lockgate.hub.notebooks.clone import Prepared
from lockgate.hub.sync import journal as journals
from lockgate.hub.sync import moving
from lockgate.hub.sync.conflict import Choice, Conflict
from lockgate.hub.sync.content import Touched, kept
from lockgate.hub.sync.journal import Journal, What
from lockgate.hub.sync.merging import merge
from lockgate.hub.sync.message import message_of
from lockgate.hub.sync.outputs import policy_at, put_right
from lockgate.hub.worktree.large_files import swaps_for
from lockgate.runs.runid import new_run_id

#: What makes a folder one of DVC's: written with the first pointer.
_DVC = (".dvc/.gitignore", ".dvc/config", ".dvcignore")


class Other(msgspec.Struct, frozen=True):
    """Whose state is merged: a commit, as messages call it, as git does."""

    commit: str
    name: str
    ref: str


class Joined(msgspec.Struct, frozen=True):
    """Two states made one: a commit; or, with `conflicts`, mine as it was.

    `outcome` is a commit or tree of all files, those in conflict in some form.
    """

    commit: str
    outcome: str
    conflicts: tuple[Conflict, ...] = ()


class Work:
    """One folder's work during a sync or a merge; `folder` is the journal's, which is held."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        now: Changes,
        choices: Mapping[str, Choice],
        what: What,
        prepared: Prepared,
    ) -> None:
        """`prepared`: how this clone treats notebooks."""
        self.root = root
        self.folder = folder
        self.now = now
        self.choices = choices
        self.prepared = prepared
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.journal = Journal(
            id=new_run_id(), what=what, state="begun", at=at, branch=f"refs/heads/{now.branch}", head=now.head
        )
        self.data: tuple[str, ...] = ()
        self._is_judged = False

    @property
    def is_moved(self) -> bool:
        return self.journal.state == "moved"

    @property
    def stands_at(self) -> str | None:
        """Where the branch is."""
        return self.journal.after if self.is_moved else self.now.head

    def commit(self) -> str:
        """Return a commit of everything; the one that is there, if nothing git keeps differs."""
        if self.now.is_clean:
            return self.now.head or ""
        self._make_data()
        return snapshot(self.root, message_of(self.now))

    def join(self, mine: str, other: Other | None) -> Joined:
        """Merge; only objects are written.

        Raises `UserError`: `no-common-history`, `choice-invalid`, `no-conflict`.
        """
        if other is None:
            return self._put_right(mine, mine, None)
        if other.commit == mine or is_ancestor(self.root, other.commit, mine):
            self.require_needed(())
            return self._put_right(mine, mine, other.commit)
        if is_ancestor(self.root, mine, other.commit):
            self.require_needed(())
            return Joined(other.commit, other.commit)
        if attempt(self.root, "merge-base", mine, other.commit)[0] != 0:
            raise UserError(
                f"{self.now.branch} here and {other.name} have no history in common",
                f"Is that the right one? See: git log {other.ref}; git remote -v. To join them:"
                f" git merge --allow-unrelated-histories {other.ref}",
                code="no-common-history",
            )
        found = merge(self.root, mine, other.commit, self.choices)
        self.require_needed(found.asked)
        if found.conflicts:
            return Joined(mine, found.tree, found.conflicts)
        commit = commit_tree(self.root, found.tree, mine, f"Merge {other.name}\n", other.commit)
        return self._put_right(mine, commit, other.commit)

    def _put_right(self, mine: str, commit: str, theirs: str | None) -> Joined:
        """Have notebooks in git as the project wants them."""
        right = put_right(self.root, mine, commit, theirs, self.prepared)
        return Joined(right, right)

    def require_needed(self, asked: Sequence[str]) -> None:
        """Refuse a choice for a path nobody has to decide about, as one that was mistyped.

        One that was made in view of a conflict may have been overtaken by the other, and does no harm. Later
        rounds have nothing to check: what was decided is merged by then. Raises `UserError` (`no-conflict`).
        """
        if self._is_judged:
            return
        self._is_judged = True
        needless = [path for path, choice in self.choices.items() if not choice.key and path not in asked]
        if needless:
            raise UserError(
                f"there is no conflict in {', '.join(needless[:3])}{' …' if len(needless) > 3 else ''}",
                f"Paths are given from the project's folder. To decide: {', '.join(asked[:5])}"
                if asked
                else "There is nothing to decide: leave it out.",
                code="no-conflict",
            )

    def move(self, committed: str, commit: str) -> None:
        """Bring files, branch and index from `committed`, which the files equal, to `commit`."""
        has_own_outputs = policy_at(self.root, commit, self.prepared) != "keep"
        self.journal = moving.move(
            self.root, self.folder, self.journal, committed, commit, has_own_outputs=has_own_outputs
        )

    def take_back(self) -> None:
        """Files that became data are as before again; without any, nothing was touched yet."""
        journal = journals.read(self.folder)
        if journal is not None and journal.id == self.journal.id and journal.state != "moved":
            moving.put_back(self.root, self.folder, journal)

    def _make_data(self) -> None:
        """Make data of what is too large for git, in the work tree too."""
        dvc = kept(self.root, _DVC)
        large = swaps_for(self.root, self.now).out
        if not large:
            return
        folders = {path.rpartition("/")[0] for path in large}
        paths = [pointer_file(path) for path in large]
        paths += [f"{folder}/.gitignore".lstrip("/") for folder in sorted(folders)]
        before = kept(self.root, paths) | dvc
        paths += _DVC
        touched = tuple(Touched(path, before[path], None, is_open=True) for path in paths)
        opened = journals.open_with(self.root, self.folder, self.journal, touched)
        # Where the folder itself is taken back, the bytes in it stay, unseen
        exclude(self.root, (".dvc/cache", ".dvc/tmp"))
        add(open_clone(str(self.root)), list(large))
        after = kept(self.root, paths)
        touched = tuple(Touched(path, before[path], after[path]) for path in paths)
        self.journal = replace(opened, touched=touched)
        journals.write(self.folder, self.journal)
        self.now = changes(self.root)
        self.data = large


def mend(root: Path, folder: Path) -> str:
    """Undo a sync or merge that was cut off; return that in words, nothing where there was none."""
    journal = journals.read(folder)
    if journal is None or journal.state == "moved":
        return ""
    left = moving.edited_since(root, journal)
    moving.put_back(root, folder, journal, left)
    words = f"An earlier {journal.what} was cut off; what it had begun was undone first."
    return words + (f" Left as they are: {', '.join(left[:5])}" if left else "")


def require_rest(root: Path) -> Changes:
    """Return what differs from HEAD, and what git ignores.

    Raises `UserError`: `merge-under-way`, `detached-head`.
    """
    now = changes(root, has_ignored=True)
    busy = operation_under_way(root) or ("merge" if now.unmerged else None)
    if busy:
        raise UserError(
            f"a {busy} is under way",
            f"Finish it (git {busy} --continue) or leave it (git {busy} --abort), then try again.",
            code="merge-under-way",
        )
    if now.branch is None:
        raise UserError(
            "no branch is checked out (HEAD is detached)",
            "Check one out: git switch main; or make one here: git switch -c NAME",
            code="detached-head",
        )
    return now
