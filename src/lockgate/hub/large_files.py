"""The rule of what git may hold: files above `git_limit`, and folders of very many files, are data."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from lockgate.data.digest import Listed, folder_listing, md5_of_file
from lockgate.data.dvc_folder import ensure_dvc_folder
from lockgate.data.output import Output, Pointer
from lockgate.data.pointer import pointer_file, write_pointer
from lockgate.data.store import Store
from lockgate.errors import LockgateError, OutsideError
from lockgate.git.program import git
from lockgate.git.worktree import Changes, Swaps
from lockgate.hub.clone_data import clone_store
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE, Data

#: A folder with more files than this is data as a whole.
FILES_AT_MOST = 10_000


def git_limit(root: Path) -> int:
    """Return the `git_limit` of a work tree in bytes; the default where its manifest has none or is wrong."""
    try:
        return parse_manifest((root / MANIFEST_FILE).read_text("utf-8")).data.git_limit_bytes
    except (OSError, UnicodeDecodeError, LockgateError):
        return Data().git_limit_bytes


def swaps_for(root: Path, changes: Changes) -> Swaps:
    """Return what of a work tree's changes becomes data in a snapshot; the bytes go into the clone's store.

    Work tree, index and branch stay as they are.
    Raises `OutsideError`: `store-unwritable`, `data-changing`.
    """
    limit = git_limit(root)
    folders = crowded_folders(root, changes.untracked)
    inside = tuple(f"{folder}/" for folder in folders)
    large = [
        path
        for path in (*changes.changed, *changes.untracked)
        if not path.startswith(inside) and not path.endswith(".dvc") and _size(root / path) > limit
    ]
    if not large and not folders:
        return Swaps()
    ensure_dvc_folder(str(root))
    put = {pointer_file(path): _file_pointer(root, path) for path in large}
    put |= {pointer_file(folder): _folder_pointer(root, folder) for folder in folders}
    return Swaps((*large, *folders), put)


def crowded(paths: Iterable[str]) -> list[str]:
    """Return the deepest folders that hold too many of these files."""
    listed = list(paths)
    if len(listed) <= FILES_AT_MOST:
        return []
    counts: Counter[str] = Counter()
    for path in listed:
        counts.update(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")
    found = [folder for folder, count in counts.items() if count > FILES_AT_MOST]
    return [folder for folder in found if not any(other.startswith(f"{folder}/") for other in found)]


def crowded_folders(root: Path, untracked: Iterable[str]) -> list[str]:
    """Return the deepest folders that hold too many new files, and none that git has already."""
    return [
        folder
        for folder in crowded(untracked)
        if not git(root, "ls-files", "-z", "--", f":(literal){folder}")
    ]


def pointer_text(name: str, md5: str, size_bytes: int, *, is_executable: bool = False) -> bytes:
    """Return the pointer to a file of this name in the same folder."""
    output = Output(name, md5, size_bytes, is_executable=is_executable)
    return write_pointer(Pointer(pointer_file(name), (output,))).encode("utf-8", "surrogateescape")


def _size(path: Path) -> int:
    try:
        about = path.lstat()
    except OSError:
        return 0
    return about.st_size if stat.S_ISREG(about.st_mode) else 0


def _file_pointer(root: Path, path: str) -> bytes:
    md5, about = _kept(clone_store(root), root, path)
    return pointer_text(
        PurePosixPath(path).name, md5, about.st_size, is_executable=bool(about.st_mode & 0o100)
    )


def _folder_pointer(root: Path, folder: str) -> bytes:
    listed, size, store = [], 0, clone_store(root)
    for here, _, names in os.walk(root / folder):
        for name in names:
            place = Path(here) / name
            if place.is_symlink() or not place.is_file():
                continue
            md5, about = _kept(store, root, place.relative_to(root).as_posix())
            size += about.st_size
            listed.append(Listed(md5, place.relative_to(root / folder).as_posix()))
    md5 = store.put_listing(folder_listing(listed))
    output = Output(PurePosixPath(folder).name, md5, size, len(listed))
    return write_pointer(Pointer(f"{output.path}.dvc", (output,))).encode("utf-8", "surrogateescape")


def _seen(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_ino, about.st_size, about.st_mtime_ns


def _kept(store: Store, root: Path, path: str) -> tuple[str, os.stat_result]:
    """Put a file into the clone's store; it stays as it is in the work tree."""
    place = root / path
    before = place.stat()
    md5 = md5_of_file(place)
    store.put(place, md5)
    after = place.stat()
    if _seen(before) != _seen(after):
        raise OutsideError(
            f"{path} was written to while it was read", "Wait until it is whole, then try again.",
            code="data-changing", is_transient=True,
        )  # fmt: skip
    return md5, after
