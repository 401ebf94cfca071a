"""Journals: what a member's Jupyter captured on one device, and the syncs there.

Entries have the form of the chain's, and are not signed. A journal is a ref of the clone; a sync pushes it.
An entry's first parent is the one before, its second the snapshot of the work tree at that moment, which so
is never collected.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockgate.activity.chain import compose_message, write_tree
from lockgate.activity.entry import Activity
from lockgate.errors import OutsideError
from lockgate.git import refs
from lockgate.git.program import git

if TYPE_CHECKING:
    from lockgate.git.objects import Author, Repository

REFS = "refs/lockgate/journals/"
STARTED = "journal.started"
#: A sync that brought or sent something.
SYNCED = "sync.finished"
_PATIENCE_S = 10.0


class Entry(msgspec.Struct, frozen=True):
    """One to write: the activity, its files by path, and the commits it keeps."""

    activity: Activity
    files: dict[str, bytes]
    keep: tuple[str, ...] = ()


def append(repository: Repository, ref: str, entries: Sequence[Entry], author: Author) -> list[str]:
    """Append entries, the oldest first, and return their ids; all of them, or none.

    Raises `OutsideError`: `journal-busy` (transient), `ref-locked` (transient), `git-failed`.
    """
    trees = [write_tree(repository, entry.activity, entry.files) for entry in entries]
    give_up_at = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up_at:
        old = refs.read(repository, ref)
        tip = old or _start(repository, entries[0].activity, author)
        ids: list[str] = []
        for entry, tree in zip(entries, trees, strict=True):
            parents = [tip, *dict.fromkeys(oid for oid in entry.keep if oid != tip)]
            tip = repository.commit(tree, parents, compose_message(entry.activity), author=author)
            ids.append(tip)
        if refs.compare_and_swap(repository, ref, old, tip, _PATIENCE_S):
            return ids
    raise OutsideError(
        f"the journal {ref} is too busy to append to",
        "Is more than one Jupyter server at work in this clone? Stop the others.",
        code="journal-busy",
        is_transient=True,
    )


def _start(repository: Repository, first: Activity, author: Author) -> str:
    """The first parent of an entry is always an entry, also where the very first keeps a snapshot."""
    root = Activity(kind=STARTED, at=first.at, by=first.by, title="Journal started")
    return repository.commit(write_tree(repository, root, {}), [], compose_message(root), author=author)


def journals_in(repository: Path) -> list[str]:
    """Return the journals that a repository holds, sorted."""
    return git(repository, "for-each-ref", "--format=%(refname)", REFS).decode("utf-8", "replace").split()


def device_of(ref: str) -> tuple[str, str]:
    """Return the member and the device that a journal's ref names."""
    member, _, device = ref.removeprefix(REFS).partition("/")
    return member, device
