"""Putting files of a commit into a work tree, without touching its index or branch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lockgate.errors import OutsideError, UserError
from lockgate.git.contents import AS_WRITTEN
from lockgate.git.listing import EXECUTABLE, LINK, SUBMODULE, Entry, Listing, parse_ls_tree
from lockgate.git.path import check_path
from lockgate.git.program import clean_environment, git

PIECE_BYTES = 1 << 20


def checkout_paths(root: Path, commit: str, paths: Iterable[str]) -> list[str]:
    """Put paths (files, or folders with all in them) of a commit or tree into the work tree.

    Returns the files written, sorted. Each appears whole or not at all; bytes are as committed (no filters,
    no line-end changes), executable bits kept. Nothing is written through a link that leads out of the tree.
    Submodules are left alone. Raises `UserError`: `path-missing` (not in the commit), `path-unsafe`,
    `path-outside`, `path-blocked`; `OutsideError`: `git-failed`, `file-unwritable`.
    """
    listing = parse_ls_tree(git(root, "ls-tree", "-r", "-z", "--full-tree", commit, environment=AS_WRITTEN))
    chosen = _choose(listing, [path.rstrip("/") for path in paths], commit)
    real_root = root.resolve()
    for path in chosen:
        check_path(path)
    if not chosen:
        return []
    ways: dict[str, Path] = {}
    with _blobs(root) as source:
        for path, entry in chosen.items():
            try:
                folder = path.rpartition("/")[0]
                if folder not in ways:
                    ways[folder] = _open_way(real_root, real_root / path, path)
                _place(real_root, ways[folder], path, entry, source)
            except OSError as error:
                raise OutsideError(
                    f"{path!r} cannot be written: {error.strerror or error}",
                    "Check the disk space and the folder's owner.",
                    code="file-unwritable",
                ) from None
    return list(chosen)


def _choose(listing: Listing, wanted: list[str], commit: str) -> dict[str, Entry]:
    """Return the files of `wanted`, a folder standing for all in it."""
    inside: dict[str, list[str]] = {}
    for path in listing:
        folder = path.rpartition("/")[0]
        while folder:
            inside.setdefault(folder, []).append(path)
            folder = folder.rpartition("/")[0]
    found: set[str] = set()
    for path in wanted:
        if path in listing:
            found.add(path)
        elif path in inside:
            found.update(inside[path])
        else:
            raise UserError(
                f"{path!r} is not in {commit}", "`git ls-tree -r` lists what is.", code="path-missing"
            )
    return {path: listing[path] for path in sorted(found) if listing[path].mode != SUBMODULE}


def _place(root: Path, folder: Path, path: str, entry: Entry, source: _Source) -> None:
    target = folder / path.rpartition("/")[2]
    draft = folder / f".lockgate-{os.urandom(8).hex()}"
    try:
        if entry.mode == LINK:
            draft.symlink_to(os.fsdecode(source.read(entry.id)))
            if not _leads_inside(root, draft):
                raise _outside(path, "is a link that leads")
        else:
            mode = 0o777 if entry.mode == EXECUTABLE else 0o666
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
                source.copy(entry.id, file)
        if target.is_dir() and not target.is_symlink():
            _make_room(target, path)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _open_way(root: Path, target: Path, path: str) -> Path:
    """Make the folders on the way to `target`; return the last, which is inside the tree."""
    folder = target.parent
    if not _leads_inside(root, folder):
        raise _outside(path, "lies behind a link that leads")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(
            f"{path!r} cannot be written: a file stands where its folder should be",
            "Move that file away and try again.",
            code="path-blocked",
        ) from None
    return folder


def _leads_inside(root: Path, path: Path) -> bool:
    real = path.resolve()
    inside = real.relative_to(root).parts if real.is_relative_to(root) else (".git",)
    return ".git" not in inside


def _make_room(folder: Path, path: str) -> None:
    try:
        folder.rmdir()
    except OSError:
        raise UserError(
            f"{path!r} cannot be written: a folder with files stands there",
            "Move that folder away and try again.",
            code="path-blocked",
        ) from None


def _outside(path: str, why: str) -> UserError:
    return UserError(
        f"{path!r} {why} out of the work tree",
        "Replace the link by a plain folder or file; nothing is written outside.",
        code="path-outside",
    )


class _Source:
    """Blobs from one `git cat-file --batch`, one at a time, in pieces: files may be larger than memory."""

    def __init__(self, ask: IO[bytes], answer: IO[bytes]) -> None:
        self._ask, self._answer = ask, answer

    def copy(self, oid: str, into: IO[bytes]) -> None:
        left = self._open(oid)
        while left:
            piece = self._answer.read(min(left, PIECE_BYTES))
            if not piece:
                raise _broken(oid)
            into.write(piece)
            left -= len(piece)
        self._answer.read(1)

    def read(self, oid: str) -> bytes:
        content = self._answer.read(self._open(oid))
        self._answer.read(1)
        return content

    def _open(self, oid: str) -> int:
        try:
            self._ask.write(oid.encode() + b"\n")
            self._ask.flush()
            fields = self._answer.readline().split()
        except OSError:
            raise _broken(oid) from None
        if len(fields) != 3 or fields[1] != b"blob":
            raise _broken(oid)
        return int(fields[2])


@contextmanager
def _blobs(repository: Path) -> Iterator[_Source]:
    process = subprocess.Popen(
        ["git", "-C", os.fspath(repository), "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean_environment() | AS_WRITTEN,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield _Source(process.stdin, process.stdout)
        finally:
            process.kill()


def _broken(oid: str) -> OutsideError:
    return OutsideError(
        f"git could not read the blob {oid}",
        "Run `git fsck`; `git fetch` again if it is missing.",
        code="git-failed",
    )
