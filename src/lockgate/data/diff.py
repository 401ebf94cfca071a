"""`lockgate data diff`: what changed in the data between two versions."""

from __future__ import annotations

import os

import msgspec

from lockgate.data.clone import Clone
from lockgate.data.pointed import Pointed, find_outputs
from lockgate.data.store_listing import listing
from lockgate.data.versions import outputs_at


class FileChange(msgspec.Struct, frozen=True):
    path: str
    """Within the output; empty for a single file."""
    what: str
    """`added`, `removed`, `changed`."""
    size_bytes: int | None
    """Of the newer bytes (of the older where it was removed); None: they are not in the store."""


class Difference(msgspec.Struct, frozen=True):
    """How one output differs."""

    path: str
    what: str
    old_md5: str | None
    new_md5: str | None
    old_bytes: int | None
    new_bytes: int | None
    files: tuple[FileChange, ...] = ()
    is_whole: bool = True
    """False: a listing is not in the store, so that the files are not known."""


def diff(clone: Clone, old: str = "HEAD", new: str | None = None) -> list[Difference]:
    """Compare the pointers of two commits; without `new`, those of a commit with the work tree's.

    Raises `UserError`: `revision-unknown`, `pointer-invalid`.
    """
    before = {each.path: each for each in outputs_at(clone, old)}
    after = {each.path: each for each in (find_outputs(clone) if new is None else outputs_at(clone, new))}
    found = []
    for path in sorted(before.keys() | after.keys()):
        one, two = before.get(path), after.get(path)
        if (one.md5 if one else None) != (two.md5 if two else None):
            found.append(_difference(clone, path, one, two))
    return found


def _difference(clone: Clone, path: str, old: Pointed | None, new: Pointed | None) -> Difference:
    files_old, files_new = _files(clone, old), _files(clone, new)
    changes = []
    for each in sorted((files_old or {}).keys() | (files_new or {}).keys()):
        one, two = (files_old or {}).get(each), (files_new or {}).get(each)
        if one != two:
            changes.append(FileChange(each, _word(one, two), _size(clone, two or one or "")))
    is_whole = files_old is not None and files_new is not None
    return Difference(
        path,
        _word(old, new),
        old.md5 if old else None,
        new.md5 if new else None,
        old.size_bytes if old else None,
        new.size_bytes if new else None,
        tuple(changes) if is_whole else (),
        is_whole,
    )


def _word(old: object, new: object) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _files(clone: Clone, output: Pointed | None) -> dict[str, str] | None:
    if output is None or output.md5 is None:
        return {}
    return listing(clone, output.md5) if output.is_folder else {"": output.md5}


def _size(clone: Clone, md5: str) -> int | None:
    try:
        return os.stat(clone.object_path(md5)).st_size
    except OSError:
        return None
