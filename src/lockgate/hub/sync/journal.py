"""What was before a sync or a merge, written down first: one file, and a ref that keeps bytes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from lockgate.errors import OutsideError, UserError
from lockgate.git.program import attempt, git
from lockgate.git.worktree import git_dir_of
from lockgate.hub.sync.content import Touched, tree_of

#: With the sync's id: keeps the bytes of files that it changed, as they were before.
BEFORE = "refs/lockgate/sync/"
FORMAT = 1
State = Literal["begun", "moving", "moved", "undoing"]
What = Literal["sync", "merge"]


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """The last sync, or merge of a branch, that changed something in this clone."""

    format: int = FORMAT
    id: str
    what: What = "sync"
    state: State
    """`begun`: not written yet. `moving`, `undoing`: cut off, if no process is at it. `moved`: whole."""
    at: str
    branch: str
    """Full ref."""
    head: str | None
    """Where the branch stood; None: it had no commit."""
    after: str | None = None
    """Where the sync brought it; None: it was not moved yet."""
    touched: tuple[Touched, ...] = ()
    index: str | None = None
    """A copy of the index, in the journal's folder; None: there was none."""
    theirs: str | None = None
    """Where the hub's branch stood when the last of this was pushed; None: it had none."""
    pushed: str | None = None
    """What was pushed."""


@contextmanager
def turn(root: Path) -> Iterator[Path]:
    """Have this clone's syncs to oneself; gives the folder of the journal.

    Raises `UserError` (`sync-under-way`).
    """
    folder = git_dir_of(root) / "lockgate" / "sync"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "turn.lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    "another sync or merge of this folder is under way",
                    "Wait for it to end.",
                    code="sync-under-way",
                ) from None
            yield folder
    except PermissionError as error:
        raise unwritable(error) from None


def read(folder: Path) -> Journal | None:
    """Return the last sync. Raises `UserError` (`sync-journal`) where the file is not what we wrote."""
    try:
        content = (folder / "journal.json").read_bytes()
    except FileNotFoundError:
        return None
    try:
        # Names that are no UTF-8 are surrogates, which msgspec neither reads nor writes
        found = msgspec.convert(json.loads(content), type=Journal)
        why = f"format {found.format}"
    except (ValueError, msgspec.ValidationError) as error:
        found, why = None, str(error)
    if found is None or found.format != FORMAT:
        raise UserError(
            f"the journal of the last sync or merge cannot be read: {why}",
            f"It can no longer be undone; to go on: rm {folder / 'journal.json'}",
            code="sync-journal",
        )
    return found


def shown(journal: Journal, left: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the paths that were changed, but those `left`, for a reader."""
    return readable(each.path for each in journal.touched if each.path not in left)


def readable(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths in order; names that are no UTF-8 as they can be told."""
    return tuple(sorted(path.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for path in paths))


def write(folder: Path, journal: Journal) -> None:
    """Put the journal in place, whole and flushed."""
    _whole(folder / "journal.json", json.dumps(msgspec.to_builtins(journal)).encode())


def drop(root: Path, folder: Path) -> None:
    """Forget the last sync."""
    (folder / "journal.json").unlink(missing_ok=True)
    forget_others(root, folder, None)


def open_with(root: Path, folder: Path, begun: Journal, touched: tuple[Touched, ...]) -> Journal:
    """Write down what is about to be touched, its bytes and the index; only then may it be touched."""
    journal = replace(begun, touched=touched, state="moving")
    if begun.state == "begun":
        journal = replace(journal, index=_keep_index(root, folder, begun.id))
    tree = tree_of(root, {each.path: each.before for each in touched})
    # Under a ref, out of reach of git's housekeeping
    git(root, "update-ref", BEFORE + journal.id, tree)
    write(folder, journal)
    forget_others(root, folder, journal.id)
    return journal


def _keep_index(root: Path, folder: Path, sync: str) -> str | None:
    try:
        content = (git_dir_of(root) / "index").read_bytes()
    except FileNotFoundError:
        return None
    _whole(folder / f"index-{sync}", content)
    return f"index-{sync}"


def forget_others(root: Path, folder: Path, sync: str | None) -> None:
    """Remove what earlier syncs kept."""
    for place in folder.glob("index-*"):
        if place.name != f"index-{sync}":
            place.unlink(missing_ok=True)
    for ref in git(root, "for-each-ref", "--format=%(refname)", BEFORE).decode().split():
        if ref != f"{BEFORE}{sync}":
            attempt(root, "update-ref", "-d", ref)


def _whole(place: Path, content: bytes) -> None:
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise unwritable(error) from None


def unwritable(error: OSError) -> OutsideError:
    return OutsideError(
        f"the journal of the sync cannot be written: {error.strerror or error}",
        "Nothing was changed. Look at the disk (df -h) and at who owns the `.git` folder.",
        code="sync-journal",
    )
