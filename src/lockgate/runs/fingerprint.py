"""The digest of all that decides a stage's outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from lockgate.git.listing import EXECUTABLE, LINK, STORED, STORED_EXECUTABLE, STORED_FOLDER, SUBMODULE, Entry
from lockgate.project.pipeline import Scalar

#: Raised whenever the way stages are run changes what they would make.
FORMAT = 1

_encode = msgspec.json.Encoder(order="deterministic").encode


def fingerprint(
    *,
    command: str,
    runtime: str,
    params: Mapping[str, Scalar],
    needs: Sequence[tuple[str, str]],
    makes: Sequence[str],
) -> str:
    """Return the fingerprint, 64 hex digits: sha256 over the canonical JSON of its parts.

    `needs` are pairs of path and identity in sorted order; resources and backend have no part in it.
    """
    parts = (FORMAT, command, runtime, params, needs, makes)
    return hashlib.sha256(_encode(parts)).hexdigest()


def source_identity(entry: Entry) -> str:
    """Return the identity of a file of the snapshot, marked where its mode matters: its object id, or the
    digest of data behind a pointer."""
    if entry.mode == STORED:
        return f"md5:{entry.id}"
    if entry.mode == STORED_EXECUTABLE:
        return f"md5:{entry.id}:x"
    if entry.mode == STORED_FOLDER:
        return f"md5:{entry.id}.dir"
    if entry.mode == EXECUTABLE:
        return f"{entry.id}:x"
    if entry.mode == LINK:
        return f"{entry.id}:link"
    if entry.mode == SUBMODULE:
        return f"{entry.id}:submodule"
    return entry.id


def artifact_identity(md5: str) -> str:
    """Return the identity of an upstream artifact: its content alone, whichever run made it."""
    return f"md5:{md5}"
