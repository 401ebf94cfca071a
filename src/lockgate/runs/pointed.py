"""What the pointers of a snapshot stand for: sources by digest, beside those that git holds."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

import msgspec

from lockgate.data.imported import origin_of
from lockgate.data.pointer import SUFFIX, Output, Pointer
from lockgate.git.listing import LINK, STORED, STORED_EXECUTABLE, STORED_FOLDER, SUBMODULE, Entry, Listing


class Pointed(msgspec.Struct, frozen=True):
    """One file or folder of the snapshot whose bytes lie in the store."""

    output: Output
    pointer: str
    """The `.dvc` file that says so."""
    origin: str = ""
    """Where it was imported from, as `hub://PROJECT/path@version`; "": from nowhere."""

    @property
    def entry(self) -> Entry:
        """Return its place among the sources: its digest, and whether it can be executed; nothing else that
        its pointer says counts."""
        md5 = self.output.md5 or ""
        mode = STORED_EXECUTABLE if self.output.is_executable else STORED
        if self.output.is_folder:
            mode = STORED_FOLDER
        return Entry(mode, md5.removesuffix(".dir"))


def is_pointer(path: str) -> bool:
    """Return whether a file of this name is a pointer: `x.dvc`, but nothing of DVC's own folder."""
    return path.endswith(SUFFIX) and len(posixpath.basename(path)) > len(SUFFIX)


def pointer_paths(files: Listing) -> list[str]:
    """Return the pointers of a snapshot."""
    return [
        path
        for path, entry in files.items()
        if path.endswith(SUFFIX) and entry.mode not in (LINK, SUBMODULE) and is_pointer(path)
    ]


def pointed_by(pointers: Iterable[Pointer]) -> dict[str, Pointed]:
    """Return what pointers stand for, by path; not data that stays in git, or has no digest yet."""
    found: dict[str, Pointed] = {}
    for pointer in pointers:
        origin = origin_of(pointer) if pointer.dependencies else None
        for output in pointer.outputs:
            if output.is_cached and output.md5 is not None:
                found[output.path] = Pointed(output, pointer.file, origin.words if origin else "")
    return found


def with_pointed(files: Listing, pointed: Mapping[str, Pointed]) -> Listing:
    """Return the files of a snapshot as its stages see them: data in the place of the pointers to it.

    A file that git holds too is taken from git.
    """
    if not pointed:
        return files
    hidden = {each.pointer for each in pointed.values()}
    seen = {path: entry for path, entry in files.items() if path not in hidden}
    for path, each in pointed.items():
        seen.setdefault(path, each.entry)
    return seen


def stored_digest(entry: Entry) -> str | None:
    """Return the digest of the object that an entry means, for a folder with `.dir`; None: it is git's."""
    if entry.mode == STORED_FOLDER:
        return entry.id + ".dir"
    return entry.id if entry.mode in (STORED, STORED_EXECUTABLE) else None
