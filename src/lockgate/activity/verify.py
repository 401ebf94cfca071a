"""Is the activity chain what the hub wrote? Every signature, every link, every digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.activity import signature
from lockgate.activity.chain import FILE_NAME, IMPORTED, entry_ids, parse
from lockgate.errors import OutsideError
from lockgate.git.contents import Content, read_many

MAX_PROBLEMS = 100


class Verification(msgspec.Struct, frozen=True):
    """`count` entries were read; `problems`, at most a hundred, each name their commit."""

    count: int
    problems: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        return not self.problems


def verify(
    repository: Path, public_key: str, must_contain: str | None = None, start: str | None = None
) -> Verification:
    """Check the whole chain against the hub's public key line.

    Checked: the first parents lead down to an entry without parents; each entry is signed by this key and
    no other, is what its id says, and holds a readable `activity.json` of a known format. Where this key
    signed that the project was imported, older entries are signed by the key that entry names. Cutting off
    the newest entries leaves a chain that is sound in itself: `must_contain`, an entry seen before, detects
    it.
    `start` is the entry to begin with instead of the newest.
    Raises `UserError` (`public-key`), `OutsideError` (`git-failed`).
    """
    signature.public_key(public_key)
    try:
        ids = entry_ids(repository, start=start)
    except OutsideError as error:
        return Verification(0, (error.message,))
    problems: list[str] = []
    if must_contain is not None and must_contain not in ids:
        problems.append(f"{must_contain}: was in the chain and is no more")
    expressions = [text for oid in ids for text in (oid, f"{oid}^{{tree}}", f"{oid}:{FILE_NAME}")]
    found = read_many(repository, expressions)
    for oid, commit, tree, entry in zip(ids, found, found, found, strict=True):
        found_here = [f"{oid}: {problem}" for problem in _check(oid, commit, tree, entry, public_key)]
        problems += found_here
        if entry is not None and not found_here:
            public_key = _key_below(entry.content, public_key)
        if len(problems) >= MAX_PROBLEMS:
            break
    return Verification(len(ids), tuple(problems[:MAX_PROBLEMS]))


def _key_below(content: bytes, public_key: str) -> str:
    """Return the key of the entries before one that is sound."""
    activity = parse(content)
    before = activity.evidence.get("signed_before_by") if activity.kind == IMPORTED else None
    return before if isinstance(before, str) else public_key


def split_signature(commit: bytes) -> tuple[bytes, str | None]:
    """Return a commit's bytes without its `gpgsig` header, and the signature (gitformat-signature(5))."""
    head, blank, body = commit.partition(b"\n\n")
    kept: list[bytes] = []
    signed: list[bytes] = []
    is_inside = False
    for line in head.split(b"\n"):
        is_inside = line.startswith(b"gpgsig ") or (is_inside and line.startswith(b" "))
        if is_inside:
            signed.append(line.removeprefix(b"gpgsig").removeprefix(b" "))
        else:
            kept.append(line)
    armoured = b"\n".join(signed).decode("utf-8", "replace") if signed else None
    return b"\n".join(kept) + blank + body, armoured


def _check(
    oid: str, commit: Content | None, tree: Content | None, entry: Content | None, public_key: str
) -> Iterator[str]:
    if commit is None or commit.kind != "commit" or commit.id != oid or _digest(commit) != oid:
        yield "the commit is not what its id says"
        return
    payload, armoured = split_signature(commit.content)
    if armoured is None:
        yield "not signed"
    elif not signature.verify(public_key, payload, armoured):
        yield "not signed by the hub's key"
    if tree is None or not payload.startswith(b"tree " + _digest(tree).encode() + b"\n"):
        yield "its tree is not what its id says"
    elif entry is None or entry.kind != "blob":
        yield f"it has no {FILE_NAME}"
    elif _digest(entry) != entry.id:
        yield f"its {FILE_NAME} is not what its id says"
    else:
        try:
            parse(entry.content)
        except ValueError as error:
            yield f"its {FILE_NAME} cannot be read: {error}"


def _digest(found: Content) -> str:
    return hashlib.sha1(b"%s %d\0%s" % (found.kind.encode(), len(found.content), found.content)).hexdigest()
