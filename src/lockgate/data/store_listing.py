"""Asking the store: the files of a folder, and which of many objects are there."""

from __future__ import annotations

import os

from lockgate.data.clone import Clone
from lockgate.data.listing import difference, files_of

_FEW = 64


def listing(clone: Clone, md5: str, is_whole: bool = False) -> dict[str, str] | None:
    """Return path → md5 of a folder in the store; None: its listing is not there, or is damaged.

    `is_whole`: it is known to be what its name says.
    """
    try:
        with open(clone.object_path(md5), "rb") as file:
            content = file.read()
        # A flipped bit may leave it readable, and name another file
        return files_of(content) if is_whole or _is_named(content, md5) else None
    except (FileNotFoundError, PermissionError, ValueError):
        return None


def listings_differ(
    clone: Clone, old: str, new: str, count: int
) -> tuple[dict[str, str], dict[str, str]] | None:
    """Return path → md5 of what only the one and of what only the other of two listings has, both known to be
    what their names say; None: they cannot be compared without reading all of both (see `difference`)."""
    if not old.endswith(".dir") or not new.endswith(".dir"):
        return None
    try:
        with open(clone.object_path(old), "rb") as before, open(clone.object_path(new), "rb") as after:
            return difference(before.read(), after.read(), count)
    except OSError:
        return None


def _is_named(content: bytes, md5: str) -> bool:
    from hashlib import md5 as digest  # noqa: PLC0415  (6 ms, and not where nothing changed)

    return digest(content, usedforsecurity=False).hexdigest() == md5.removesuffix(".dir")


def missing(clone: Clone, md5s: set[str]) -> set[str]:
    """Return which objects the store does not have; of many, by looking at each of its folders once."""
    if len(md5s) < _FEW:
        return {md5 for md5 in md5s if not clone.has(md5)}
    there: set[str] = set()
    for start in {md5[:2] for md5 in md5s}:
        try:
            there.update([start + name for name in os.listdir(f"{clone.store}/files/md5/{start}")])
        except (FileNotFoundError, NotADirectoryError):
            continue
    return md5s - there
