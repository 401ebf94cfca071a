"""Files of the work tree as their raw bytes lie there, whatever filters and `.gitignore` say."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError
from lockgate.git.listing import EXECUTABLE, FILE, LINK, SUBMODULE, Entry, blob_id
from lockgate.git.place import checkout_paths
from lockgate.git.program import git


class Touched(msgspec.Struct, frozen=True):
    """One path that a sync changes: what lay there, and what it puts there; None: nothing."""

    path: str
    before: Entry | None
    after: Entry | None
    is_open: bool = False
    """What comes there is not known yet; whatever is there meanwhile is the sync's."""


def kept(root: Path, paths: Iterable[str]) -> dict[str, Entry | None]:
    """Return what lies at each path, its bytes written into the repository's objects."""
    found: dict[str, Entry | None] = {}
    plain: list[tuple[str, int]] = []
    for path in paths:
        mode = _mode(root / path)
        found[path] = None
        if mode == LINK:
            target = os.fsencode((root / path).readlink())
            oid = git(root, "hash-object", "-w", "--stdin", stdin=target).decode().strip()
            found[path] = Entry(LINK, oid)
        elif mode is not None:
            plain.append((path, mode))
    # One path a line; a name with a line break is given by itself
    lines = [(path, mode) for path, mode in plain if "\n" not in path]
    asked = "".join(f"{path}\n" for path, _ in lines).encode("utf-8", "surrogateescape")
    ids = git(root, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=asked).decode().split()
    for (path, mode), oid in zip(lines, ids, strict=True):
        found[path] = Entry(mode, oid)
    for path, mode in plain:
        if "\n" in path:
            oid = git(root, "hash-object", "-w", "--no-filters", "--", path).decode().strip()
            found[path] = Entry(mode, oid)
    return found


def at(root: Path, path: str) -> Entry | None:
    """Return what lies at a path; its id is that of its raw bytes, which are not kept."""
    place = root / path
    mode = _mode(place)
    if mode is None:
        return None
    try:
        content = os.fsencode(place.readlink()) if mode == LINK else place.read_bytes()
    except FileNotFoundError:
        return None
    return Entry(mode, blob_id(content))


def tree_of(root: Path, entries: Mapping[str, Entry | None]) -> str:
    """Write a tree of these paths; those with nothing are left out."""
    listed = "".join(
        f"{entry.mode:o} blob {entry.id}\t{path}\0" for path, entry in entries.items() if entry is not None
    )
    index = root / git(root, "rev-parse", "--git-path", f"lockgate-tree-{os.getpid()}").decode().rstrip("\n")
    environment = {"GIT_INDEX_FILE": os.fspath(index)}
    try:
        git(root, "read-tree", "--empty", environment=environment)
        words = ("update-index", "-z", "--add", "--index-info")
        git(root, *words, stdin=listed.encode("utf-8", "surrogateescape"), environment=environment)
        return git(root, "write-tree", environment=environment).decode().strip()
    finally:
        index.unlink(missing_ok=True)


def put(root: Path, tree: str, wanted: Mapping[str, Entry | None]) -> None:
    """Bring paths to what a tree has there; what is there already is not written anew.

    Each file appears whole. Raises as `checkout_paths`.
    """
    different = [path for path, entry in wanted.items() if at(root, path) != entry]
    for path in sorted(different, reverse=True):
        if wanted[path] is None:
            _remove(root, path)
    written = [path for path in different if wanted[path] is not None]
    _make_way(root, written)
    if written:
        checkout_paths(root, tree, written)


def _make_way(root: Path, paths: Sequence[str]) -> None:
    """Remove empty folders where a file is to stand."""
    for path in paths:
        if (root / path).is_dir() and not (root / path).is_symlink():
            for folder, _, _ in os.walk(root / path, topdown=False):
                try:
                    Path(folder).rmdir()
                except OSError:
                    break


def _remove(root: Path, path: str) -> None:
    try:
        (root / path).unlink(missing_ok=True)
    except (IsADirectoryError, NotADirectoryError):
        return
    except OSError as error:
        raise OutsideError(
            f"{path!r} cannot be removed: {error.strerror or error}",
            "Look at who owns its folder.",
            code="file-unwritable",
        ) from None
    for folder in (root / path).parents:
        if folder == root:
            return
        try:
            folder.rmdir()
        except OSError:
            return


def _mode(place: Path) -> int | None:
    try:
        about = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(about.st_mode):
        return LINK
    if stat.S_ISREG(about.st_mode):
        return EXECUTABLE if about.st_mode & 0o100 else FILE
    return None


def changed_between(root: Path, old: str, new: str) -> dict[str, Entry | None]:
    """Return the paths that differ between two commits or trees, with what the new one has there."""
    output = git(root, "diff-tree", "-r", "-z", "--no-renames", "--raw", "--abbrev=40", old, new)
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    found: dict[str, Entry | None] = {}
    for about, path in zip(fields[::2], fields[1::2], strict=False):
        _, mode, _, oid, state = about.removeprefix(":").split(" ")
        if int(mode, 8) != SUBMODULE:
            found[path] = None if state.startswith("D") else Entry(int(mode, 8), oid)
    return found
