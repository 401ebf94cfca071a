"""Bringing work tree, branch and index to a commit, so that it can be taken back; and taking it back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git.program import attempt, git
from lockgate.git.switch import index_lock
from lockgate.git.worktree import PLAIN, QUIET, copied_index, git_dir_of, head
from lockgate.hub.notebooks.bringing import keeping_outputs
from lockgate.hub.notebooks.clone import prepare
from lockgate.hub.sync import journal as journals
from lockgate.hub.sync.content import Touched, at, changed_between, kept, put, tree_of
from lockgate.hub.sync.journal import BEFORE, Journal
from lockgate.project.pipeline import MANIFEST_FILE

_NOTHING = "0" * 40
_MARK = b"lockgate sync\n"


def move(
    root: Path, folder: Path, begun: Journal, committed: str, commit: str, *, has_own_outputs: bool = False
) -> Journal:
    """Bring everything from `committed`, which the work tree equals, to `commit`; return the journal.

    `has_own_outputs`: git has no outputs of notebooks, so that those of the files here stay where they fit.
    The journal is written first; nothing is changed where anything would be lost. Raises `UserError`:
    `work-tree-changed`, `ignored-in-the-way`; `OutsideError`: `index-locked`, `git-failed`.
    """
    wanted = changed_between(root, committed, commit)
    source = commit
    if has_own_outputs:
        wanted = keeping_outputs(root, wanted)
        source = tree_of(root, wanted)
    there = kept(root, wanted)
    differing = [path for path, entry in there.items() if entry and entry != wanted[path]]
    _refuse_ignored(root, committed, differing)
    touched = (
        *(each for each in begun.touched if each.path not in wanted),
        *(Touched(path, there[path], entry) for path, entry in wanted.items()),
    )
    earlier = {each.path: each.before for each in begun.touched}
    touched = tuple(replace(each, before=earlier.get(each.path, each.before)) for each in touched)
    old = begun.after or begun.head
    with _index_held(root), copied_index(root) as index:
        environment = QUIET | {"GIT_INDEX_FILE": os.fspath(index)}
        git(root, *PLAIN, "add", "--all", "--sparse", "--", ".", environment=environment)
        tree = git(root, *PLAIN, "write-tree", environment=environment).decode().strip()
        if tree != git(root, "rev-parse", f"{committed}^{{tree}}").decode().strip():
            raise _edited_meanwhile()
        journal = journals.open_with(root, folder, replace(begun, after=commit), touched)
        try:
            if any(at(root, path) != there[path] for path in wanted):
                raise _edited_meanwhile()
            put(root, source, wanted)
            if commit != old:
                git(root, "update-ref", "-m", f"lockgate {begun.what}", begun.branch, commit, old or _NOTHING)
            if wanted:
                git(root, *PLAIN, "read-tree", "-i", "-m", committed, commit, environment=environment)
            if MANIFEST_FILE in wanted:
                # What git is to have of notebooks may be another from now on
                prepare(root)
            attempt(root, *PLAIN, "update-index", "-q", "--refresh", environment=environment)
            index.replace(git_dir_of(root) / "index")
        except LockgateError:
            _put_back(root, folder, journal, edited_since(root, journal))
            raise
    moved = replace(journal, state="moved")
    journals.write(folder, moved)
    return moved


def put_back(root: Path, folder: Path, journal: Journal, left: Sequence[str] = ()) -> None:
    """Bring files (but those `left` as they are), branch and index to what they were before a sync.

    Every step may be done twice, so that it can be gone on with after a break.
    """
    with _index_held(root):
        _put_back(root, folder, journal, left)


def _put_back(root: Path, folder: Path, journal: Journal, left: Sequence[str]) -> None:
    journals.write(folder, replace(journal, state="undoing"))
    wanted = {each.path: each.before for each in journal.touched if each.path not in left}
    if wanted:
        put(root, BEFORE + journal.id, wanted)
    code, output, _ = attempt(root, "rev-parse", "--quiet", "--verify", journal.branch)
    stands = output.decode().strip() if code == 0 else None
    if stands != journal.head:
        words = ("-d", journal.branch) if journal.head is None else (journal.branch, journal.head)
        git(root, "update-ref", "-m", f"undo: lockgate {journal.what}", *words, *([stands or _NOTHING]))
    _index_back(root, folder, journal)
    journals.drop(root, folder)


def edited_since(root: Path, journal: Journal) -> list[str]:
    """Return the files that a sync changed and that are by now neither as before nor as it left them."""
    return [
        each.path
        for each in journal.touched
        if not each.is_open and at(root, each.path) not in (each.before, each.after)
    ]


def require_unmoved(root: Path, journal: Journal) -> None:
    """Refuse where the branch is not where the sync left it. Raises `UserError` (`moved-since-sync`)."""
    branch, _ = head(root)
    code, output, _ = attempt(root, "rev-parse", "--quiet", "--verify", journal.branch)
    stands = output.decode().strip() if code == 0 else None
    name = journal.branch.removeprefix("refs/heads/")
    if f"refs/heads/{branch}" != journal.branch:
        raise UserError(
            f"the last {journal.what} was of {name}, and another branch is checked out",
            f"Go there first: git switch {name}",
            code="moved-since-sync",
        )
    if stands not in (journal.head, journal.after):
        raise UserError(
            f"{name} has moved on since the last {journal.what}, so that it cannot be undone as a whole",
            "Go back to an earlier state instead: lockgate log, then lockgate rollback",
            code="moved-since-sync",
        )


def _index_back(root: Path, folder: Path, journal: Journal) -> None:
    place = git_dir_of(root) / "index"
    if journal.index is None:
        place.unlink(missing_ok=True)
        return
    draft = folder / f"back-{journal.index}"
    try:
        draft.write_bytes((folder / journal.index).read_bytes())
    except FileNotFoundError:
        raise OutsideError(
            "the copy of git's index from before the sync is gone",
            "Files and branch are as before. Stage what you want again: git add",
            code="sync-journal",
        ) from None
    draft.replace(place)


@contextmanager
def _index_held(root: Path) -> Iterator[None]:
    """Hold `index.lock`; one that a sync left which was cut off is taken over, as there is one at a time."""
    place = git_dir_of(root) / "index.lock"
    with suppress(FileNotFoundError):
        if place.read_bytes() == _MARK:
            place.unlink()
    with index_lock(root) as lock:
        lock.write_bytes(_MARK)
        yield


def _edited_meanwhile() -> UserError:
    return UserError(
        "files changed in this moment",
        "Nothing was changed. Let the editor save, then try again.",
        code="work-tree-changed",
    )


def _refuse_ignored(root: Path, committed: str, paths: Sequence[str]) -> None:
    """Refuse to write over ignored files, but those that Lockgate placed and excluded itself."""
    if not paths:
        return
    listed = git(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", committed)
    tracked = set(listed.decode("utf-8", "surrogateescape").split("\0"))
    strangers = [path for path in paths if path not in tracked]
    if not strangers:
        return
    asked = "\0".join(strangers).encode("utf-8", "surrogateescape")
    _, output, _ = attempt(root, "check-ignore", "-z", "-v", "--no-index", "--stdin", stdin=asked)
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    ours = {fields[n + 3] for n in range(0, len(fields) - 3, 4) if fields[n].endswith("info/exclude")}
    others = [path for path in strangers if path not in ours]
    if others:
        raise UserError(
            f"ignored files stand where others are to go: {', '.join(others[:3])}"
            + (" …" if len(others) > 3 else ""),
            "Move them away, or delete them, and try again.",
            code="ignored-in-the-way",
        )
