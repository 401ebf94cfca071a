"""What a tree holds: path → mode and object id, read by one call of git for any number of files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

import msgspec

FILE, EXECUTABLE, LINK, FOLDER, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o040000, 0o160000
#: None of git's: a file or folder whose bytes lie in the store, `id` being their md5 without `.dir`.
STORED, STORED_EXECUTABLE, STORED_FOLDER = 0o200644, 0o200755, 0o240000

#: One row of a tree object: its mode, its name, its id.
_ROW = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{20})", re.DOTALL)


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One path of a tree. `id` is the blob's (a submodule's: commit's) object id in hex."""

    mode: int
    id: str


Listing = Mapping[str, Entry]
"""Every file, link and submodule of a tree by its path, folders left out."""


def parse_ls_tree(output: bytes) -> dict[str, Entry]:
    """Read `git ls-tree -r -z --full-tree TREE` (see git-ls-tree(1), Output Format).

    Bytes that are no UTF-8 in a name are kept as surrogates, as `os.fsdecode` keeps them.
    """
    listing: dict[str, Entry] = {}
    for record in output.decode("utf-8", "surrogateescape").split("\0"):
        if record:
            head, path = record.split("\t", 1)
            mode, _, oid = head.split(" ", 2)
            listing[path] = Entry(int(mode, 8), oid)
    return listing


def parse_tree(content: bytes) -> dict[bytes, Entry]:
    """Read a tree object: name → entry, folders among them. Raises `ValueError` where it is none."""
    found = _ROW.findall(content)
    if sum(len(mode) + len(name) + 22 for mode, name, _ in found) != len(content):
        raise ValueError("that is no tree object")
    return {name: Entry(int(mode, 8), oid.hex()) for mode, name, oid in found}


def tree_id(entries: Iterable[tuple[str, Entry]]) -> str:
    """Return the id git would give a tree of these paths, without writing it.

    The order and form of a tree object: git's `Documentation/technical`, object format; a folder sorts as
    if its name ended in `/`.
    """
    folders: dict[str, list[tuple[str, Entry]]] = {}
    rows: list[tuple[bytes, bytes]] = []
    for path, entry in entries:
        head, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(head, []).append((rest, entry))
        else:
            name = head.encode("utf-8", "surrogateescape")
            rows.append((name, b"%o %s\0%s" % (entry.mode, name, bytes.fromhex(entry.id))))
    for head, inside in folders.items():
        name = head.encode("utf-8", "surrogateescape")
        rows.append((name + b"/", b"40000 %s\0%s" % (name, bytes.fromhex(tree_id(inside)))))
    body = b"".join(row for _, row in sorted(rows))
    return hashlib.sha1(b"tree %d\0%s" % (len(body), body)).hexdigest()


def blob_id(content: bytes) -> str:
    """Return the id git gives a blob of this content."""
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content)).hexdigest()
