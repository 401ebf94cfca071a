"""Looking at a folder of data: which files it has, and what the file system says of each."""

from __future__ import annotations

import os

from lockgate.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

    #: Says of a path relative to the data (`/` at the end for a folder) whether `.dvcignore` leaves it out.
    Ignoring = Callable[[str], bool]

#: A folder within the data (`""`, `"sub/"`) → its files' names, and for each three numbers: inode, size in
#: bytes, time of change in ns. In the order the file system tells them, which stays while nothing changes.
#: A single file is the folder `""` with the name `""`.
Tree = dict[str, tuple[list[str], list[int]]]

#: What DVC passes over everywhere (dvc, `ignore.py`); a file `.git` too.
_NOT_DATA = frozenset({".git", ".hg", ".dvc"})


def scan(top: str, is_ignored: Ignoring | None = None) -> Tree | None:
    """Return what lies at `top`, a file or a folder; None: nothing does.

    A link to a file counts as the file, as it does to DVC. Raises `UserError`: `data-link` (a link to a
    folder, or to nothing), `data-special` (a socket, a device), `data-name` (no UTF-8), `data-unreadable`.
    """
    try:
        about = os.stat(top)
    except FileNotFoundError:
        if os.path.islink(top):
            raise _link(top, "leads to nothing") from None
        return None
    if os.path.isfile(top):
        return {"": ([""], [about.st_ino, about.st_size, about.st_mtime_ns])}
    if not os.path.isdir(top):
        raise _special(top)
    if os.path.islink(top):
        raise _link(top, "leads to a folder")
    tree: Tree = {}
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            tree[folder] = _folder(top, folder, waiting, is_ignored)
        except FileNotFoundError:  # somebody has just taken it away
            if not folder:
                return None
        except PermissionError as error:
            raise unreadable(error.filename or f"{top}/{folder}") from None
    return tree


def rescan(
    top: str,
    tree: Tree,
    folders: Iterable[str],
    is_ignored: Ignoring | None = None,
    changed: Container[str] | None = None,
) -> Tree:
    """Return what lies in the folder `top` now, where only these of its folders are looked at anew, and what
    is new below them; of files that were there before only those `changed` (None: all). Raises as `scan`."""
    now = dict(tree)
    waiting = list(folders)
    while waiting:
        folder = waiting.pop()
        below: list[str] = []
        same = _same(tree.get(folder), folder, changed) if changed is not None else {}
        try:
            now[folder] = _folder(top, folder, below, is_ignored, same)
        except (FileNotFoundError, NotADirectoryError):
            for gone in [each for each in now if each.startswith(folder)]:
                del now[gone]
        except PermissionError as error:
            raise unreadable(error.filename or f"{top}/{folder}") from None
        waiting += [each for each in below if each not in now]
    return now


def each_seen(stats: list[int]) -> Iterator[tuple[int, int, int]]:
    """Return inode, size and time of each file of a folder of a tree."""
    numbers = iter(stats)
    return zip(numbers, numbers, numbers, strict=True)


def _same(
    before: tuple[list[str], list[int]] | None, folder: str, changed: Container[str]
) -> dict[str, tuple[int, int, int]]:
    if before is None:
        return {}
    names, stats = before
    return {
        name: seen for name, seen in zip(names, each_seen(stats), strict=True) if folder + name not in changed
    }


def _folder(
    top: str,
    folder: str,
    waiting: list[str],
    is_ignored: Ignoring | None,
    same: Mapping[str, tuple[int, int, int]] = {},
) -> tuple[list[str], list[int]]:
    names: list[str] = []
    stats: list[int] = []
    with os.scandir(f"{top}/{folder}" if folder else top) as entries:
        for entry in entries:
            name = entry.name
            is_file = entry.is_file(follow_symlinks=False)
            is_folder = not is_file and entry.is_dir(follow_symlinks=False)
            if is_ignored is not None and is_ignored(f"{folder}{name}/" if is_folder else folder + name):
                continue
            if is_folder:
                if name in _NOT_DATA:
                    continue
                if not name.isascii():
                    _check_name(top, folder, name)
                waiting.append(f"{folder}{name}/")
                continue
            if name in same:
                stats += same[name]
            else:
                if not is_file:
                    _check_kind(entry)
                try:
                    about = entry.stat(follow_symlinks=not is_file)
                except FileNotFoundError:  # somebody has just taken it away
                    continue
                stats += (about.st_ino, about.st_size, about.st_mtime_ns)
            names.append(name)
    for name in names:
        if not name.isascii():
            _check_name(top, folder, name)
    if ".git" in names:
        at = names.index(".git")
        del names[at], stats[3 * at : 3 * at + 3]
    return names, stats


def differing(top: str, tree: Tree, part: int = 0, parts: int = 1) -> list[str]:
    """Return the folders that do not look just as they did: the same names in the same order, the same stats.

    Of each folder's files only one part of `parts` is looked at, so that several processes share the work.
    One may be named that is as before, where a name is of no data; `rescan` tells.
    """
    return [folder for folder in tree if not _is_unchanged(top, tree, folder, part, parts)]


def _is_unchanged(top: str, tree: Tree, folder: str, part: int, parts: int) -> bool:
    names, stats = tree[folder]
    found: list[os.DirEntry[str]] = []
    try:
        with os.scandir(f"{top}/{folder}" if folder else top) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    found.append(entry)
                elif f"{folder}{entry.name}/" not in tree or not entry.is_dir(follow_symlinks=False):
                    return False
        if [entry.name for entry in found] != names:
            return False
        start, end = len(found) * part // parts, len(found) * (part + 1) // parts
        now: list[int] = []
        for entry in found[start:end]:
            about = entry.stat(follow_symlinks=False)
            now += (about.st_ino, about.st_size, about.st_mtime_ns)
    except OSError:
        return False
    return now == stats[3 * start : 3 * end]


def total_bytes(tree: Tree) -> int:
    return sum(sum(stats[1::3]) for _, stats in tree.values())


def count(tree: Tree) -> int:
    return sum(len(names) for names, _ in tree.values())


def _check_kind(entry: os.DirEntry[str]) -> None:
    if not entry.is_symlink():
        raise _special(entry.path)
    if entry.is_dir():
        raise _link(entry.path, "leads to a folder")
    if not entry.is_file():
        raise _link(entry.path, "leads to nothing that could be kept")


def _check_name(top: str, folder: str, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = f"{top}/{folder}{name}".encode("utf-8", "backslashreplace").decode()
        raise UserError(
            f"{shown}: a name that is not UTF-8 has no place in DVC's listings",
            "Give the file another name (`convmv` does it for many).",
            code="data-name",
        ) from None


def unreadable(path: str) -> UserError:
    return UserError(
        f"{path} cannot be read",
        "Make it readable (chmod u+r), or name it in `.dvcignore`.",
        code="data-unreadable",
    )


def _link(path: str, why: str) -> UserError:
    return UserError(
        f"{path} is a link that {why}; what it leads to would be left out",
        "Replace the link by what it leads to, or name it in `.dvcignore`.",
        code="data-link",
    )


def _special(path: str) -> UserError:
    return UserError(
        f"{path} is neither a file nor a folder",
        "Take it away, or name it in `.dvcignore`.",
        code="data-special",
    )
