"""`lockgate data gc`: objects of the clone's store that nothing needs any more."""

from __future__ import annotations

import os
import time

import msgspec

from lockgate.data.clone import Clone
from lockgate.data.store_listing import listing
from lockgate.data.versions import needed
from lockgate.errors import OutsideError, UserError

GRACE_S = 86_400
"""Younger objects stay: another command may just be about to name them."""


class Collected(msgspec.Struct, frozen=True):
    """What is not needed, or was not and is gone."""

    objects: int
    size_bytes: int
    """As the files say; what is linked to the work tree takes no room twice."""
    kept: int
    young: int
    """Not needed, but younger than the time of grace: they stay."""
    is_removed: bool


def collect(clone: Clone, is_removed: bool = False, grace_s: int = GRACE_S) -> Collected:
    """Find what nothing needs, and remove it if `is_removed`. See `versions.needed` for what is.

    Raises `UserError` (`store-shared`): the store is not this clone's alone; `OutsideError`
    (`listing-damaged`): nobody knows which files a folder needs; (`store-unwritable`).
    """
    if clone.is_shared:
        raise UserError(
            f"the store {clone.store} lies outside this repository; others may need what is in it",
            "Use `dvc gc --projects`, which asks for all projects that share it.",
            code="store-shared",
        )
    wanted = _with_files(clone, needed(clone))
    limit = time.time() - grace_s
    removed = size = kept = young = 0
    for start, name in _objects(clone):
        path = f"{clone.store}/files/md5/{start}/{name}"
        try:
            about = os.lstat(path)
        except FileNotFoundError:
            continue
        if start + name in wanted:
            kept += 1
        elif about.st_ctime > limit:
            young += 1
        else:
            removed += 1
            size += about.st_size
            if is_removed:
                _remove(path)
    if is_removed:
        _remove_drafts(clone, limit)
    return Collected(removed, size, kept, young, is_removed)


def _with_files(clone: Clone, named: set[str]) -> set[str]:
    wanted = set(named)
    for md5 in sorted(named):
        if md5.endswith(".dir"):
            files = listing(clone, md5)
            if files is None:
                if clone.has(md5):
                    raise OutsideError(
                        f"the listing {md5} is needed and damaged, so nobody knows which files it needs",
                        "`lockgate data verify` says more; nothing was removed.",
                        code="listing-damaged",
                    )
                continue
            wanted.update(files.values())
    return wanted


def _objects(clone: Clone) -> list[tuple[str, str]]:
    top = f"{clone.store}/files/md5"
    found = []
    for start in sorted(os.listdir(top)) if os.path.isdir(top) else []:
        if len(start) == 2 and os.path.isdir(f"{top}/{start}"):
            found += [(start, name) for name in sorted(os.listdir(f"{top}/{start}"))]
    return found


def _remove_drafts(clone: Clone, limit: float) -> None:
    """What a killed command left half made."""
    if not os.path.isdir(clone.drafts):
        return
    for name in os.listdir(clone.drafts):
        path = f"{clone.drafts}/{name}"
        if name.startswith("lockgate-") and os.lstat(path).st_ctime < limit:
            _remove(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # by another gc
    except OSError as error:
        raise OutsideError(
            f"{path} cannot be removed: {error.strerror or error}",
            "Look at the rights there, then say it again: it goes on from here.",
            code="store-unwritable",
        ) from None
