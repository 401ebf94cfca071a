"""What files differ between two trees, told by reading them: only folders that differ are opened."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lockgate.git.batch import Batch
from lockgate.git.contents import Content

_FOLDER = "40000"


class TreeEntry(msgspec.Struct, frozen=True, gc=False):
    """One entry of a tree; `mode` as git writes it there, a folder's being `40000`."""

    mode: str
    name: str
    id: str


def entries_of(content: bytes) -> Iterator[TreeEntry]:
    """Read a tree object: `<mode> <name>`, NUL, 20 bytes of id (git's gitformat-pack and tree.c)."""
    at = 0
    while at < len(content):
        end = content.index(b"\0", at)
        mode, _, name = content[at:end].partition(b" ")
        yield TreeEntry(mode.decode(), name.decode("utf-8", "replace"), content[end + 1 : end + 21].hex())
        at = end + 21


def headers_of(commit: Content) -> Iterator[tuple[str, str]]:
    """Read a commit's `tree` and `parent` lines (git's gitformat-commit)."""
    for line in commit.content.split(b"\n\n", 1)[0].split(b"\n"):
        word, _, value = line.partition(b" ")
        if word not in (b"tree", b"parent"):
            return
        yield word.decode(), value.decode("ascii", "replace")


def parents_of(commit: Content) -> list[str]:
    return [value for word, value in headers_of(commit) if word == "parent"]


def differences(
    batch: Batch, new: str | None, old: str | None, folder: str = ""
) -> Iterator[tuple[str, TreeEntry | None, TreeEntry | None]]:
    """Yield path, new and old entry of every file in which two trees differ; None: there is no such tree."""
    if new == old:
        return
    mine, theirs = _listed(batch, new), _listed(batch, old)
    for name in sorted(mine.keys() | theirs.keys()):
        here, there = mine.get(name), theirs.get(name)
        if here == there:
            continue
        path = folder + name
        inner = [each.id if each is not None and each.mode == _FOLDER else None for each in (here, there)]
        if inner != [None, None]:
            yield from differences(batch, inner[0], inner[1], f"{path}/")
        files = [each if each is not None and each.mode != _FOLDER else None for each in (here, there)]
        if files != [None, None]:
            yield path, files[0], files[1]


def _listed(batch: Batch, tree: str | None) -> dict[str, TreeEntry]:
    found = batch.read(tree) if tree is not None else None
    return {each.name: each for each in entries_of(found.content)} if found is not None else {}
