"""Digests of files and folders in DVC 3's form, so that its users find their data again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import msgspec

_CHUNK_BYTES = 1 << 20


class Listed(msgspec.Struct, frozen=True):
    """One file of a folder's listing."""

    md5: str
    relpath: str


def md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def md5_of_pieces(pieces: Iterable[bytes]) -> str:
    """Return the md5 of bytes that come one after the other."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def md5_of_file(path: Path) -> str:
    """Return the md5 of a file, read in pieces."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def folder_listing(files: Iterable[Listed]) -> bytes:
    """Return the bytes DVC keeps for a folder: its `.dir` object, sorted by path.

    Python's own JSON spacing and escapes, since DVC hashes exactly these (dvc-data, `hashfile/tree.py`).
    """
    rows = sorted(
        ({"md5": file.md5, "relpath": file.relpath} for file in files), key=lambda row: row["relpath"]
    )
    return json.dumps(rows, sort_keys=True).encode()


def parse_listing(content: bytes) -> tuple[Listed, ...]:
    return msgspec.json.decode(content, type=tuple[Listed, ...])
