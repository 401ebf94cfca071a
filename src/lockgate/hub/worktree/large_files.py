"""What git may not hold goes into the clone's store, and a snapshot has a pointer in its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from lockgate.data.clone import open_clone
from lockgate.data.digest import Listed, folder_listing
from lockgate.data.digests import Digests
from lockgate.data.dvc_folder import ensure_dvc_folder
from lockgate.data.linking import digest_of, still_changing
from lockgate.data.output import Output, Pointer
from lockgate.data.pointer import pointer_file, write_pointer
from lockgate.data.scan import Tree, total_bytes
from lockgate.data.state import Known, State, now_ns
from lockgate.data.store import Store
from lockgate.data.survey import digests_of, files_of_tree
from lockgate.git.program import git
from lockgate.git.worktree import Changes, Swaps
from lockgate.hub.worktree.git_rule import crowded, git_limit


def swaps_for(root: Path, changes: Changes) -> Swaps:
    """Return what of a work tree's changes becomes data in a snapshot; the bytes go into the clone's store.

    Work tree, index and branch stay as they are.
    Raises `UserError` (`data-changing`), `OutsideError` (`store-unwritable`).
    """
    large, folders = too_large(root, changes)
    if not large and not folders:
        return Swaps()
    ensure_dvc_folder(str(root))
    keeper = _Keeper(root)
    try:
        put = {pointer_file(path): keeper.file_pointer(path) for path in large}
        put |= {pointer_file(folder): keeper.folder_pointer(folder) for folder in folders}
    finally:
        keeper.state.save()
    return Swaps((*large, *folders), put)


def too_large(root: Path, changes: Changes) -> tuple[list[str], list[str]]:
    """Return the files, and the folders of very many files, among a work tree's changes that become data."""
    limit = git_limit(root)
    folders = crowded_folders(root, changes.untracked)
    inside = tuple(f"{folder}/" for folder in folders)
    large = [
        path
        for path in (*changes.changed, *changes.untracked)
        if not path.startswith(inside) and not path.endswith(".dvc") and _size(root / path) > limit
    ]
    return large, folders


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


class _Keeper:
    """Puts files of the work tree, which stay as they are, into the clone's store; of what is known from
    an earlier time only that is read which does not look the same."""

    def __init__(self, root: Path) -> None:
        clone = open_clone(str(root))
        self.state = State(clone.git_dir)
        self._root = root
        self._store = Store(Path(clone.store))

    def file_pointer(self, path: str) -> bytes:
        """Keep a file; return the pointer to it."""
        about = (self._root / path).stat()
        looked_at_ns, tree = now_ns(), {"": ([""], list(_seen(about)))}
        digests, read_count = self._kept(path, tree)
        (md5,) = digests[""]
        if read_count:
            self.state.put(path, Known("", md5, tree, digests), looked_at_ns)
        is_executable = bool(about.st_mode & 0o100)
        return pointer_text(PurePosixPath(path).name, md5, about.st_size, is_executable=is_executable)

    def folder_pointer(self, folder: str) -> bytes:
        """Keep the files of a folder, links left out; return the pointer to it."""
        looked_at_ns, tree = now_ns(), _tree(self._root / folder)
        digests, read_count = self._kept(folder, tree)
        listed = [Listed(md5, path) for path, md5 in files_of_tree(tree, digests).items()]
        md5 = self._store.put_listing(folder_listing(listed))
        if read_count:
            self.state.put(folder, Known("", md5, tree, digests), looked_at_ns)
        output = Output(PurePosixPath(folder).name, md5, total_bytes(tree), len(listed))
        return write_pointer(Pointer(pointer_file(output.path), (output,))).encode("utf-8", "surrogateescape")

    def _kept(self, path: str, tree: Tree) -> tuple[Digests, int]:
        top = f"{self._root}/{path}"
        digests, read_count = digests_of(tree, top, self.state.get(path), digest_of)
        for folder, (names, stats) in tree.items():
            for at, (name, md5) in enumerate(zip(names, digests[folder], strict=True)):
                if not self._store.has(md5):
                    self._keep(Path(top, folder + name), md5, tuple(stats[3 * at : 3 * at + 3]))
        return digests, read_count

    def _keep(self, place: Path, md5: str, seen: tuple[int, ...]) -> None:
        self._store.put(place, md5)
        if _seen(place.stat()) != seen:
            self._store.path(md5).unlink(missing_ok=True)
            raise still_changing(str(place))


def _tree(top: Path) -> Tree:
    tree: Tree = {}
    for here, _, names in os.walk(top):
        files: list[str] = []
        stats: list[int] = []
        for name in names:
            about = (Path(here) / name).lstat()
            if stat.S_ISREG(about.st_mode):
                files.append(name)
                stats += _seen(about)
        inside = Path(here).relative_to(top).as_posix()
        tree["" if inside == "." else f"{inside}/"] = (files, stats)
    return tree


def _seen(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_ino, about.st_size, about.st_mtime_ns
