"""One dataset: what its pointer says, whether its bytes are here, and its versions in history."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.data.chosen import choose
from lockgate.data.clone import Clone
from lockgate.data.pointed import Pointed, find_outputs, outputs_of
from lockgate.data.pointer import parse_pointer
from lockgate.data.store_listing import listing, missing
from lockgate.data.versions import blobs
from lockgate.errors import UserError
from lockgate.git.program import attempt

_NOTHING = "0" * 40


class Version(msgspec.Struct, frozen=True):
    commit: str
    committed_at: float
    """Seconds since 1970, UTC."""
    subject: str
    md5: str | None
    """None: the pointer was removed, or cannot be read."""
    size_bytes: int | None


class Dataset(msgspec.Struct, frozen=True):
    path: str
    pointer: str
    md5: str | None
    size_bytes: int | None
    file_count: int | None
    desc: str | None
    missing_count: int
    """So many of its objects are not in the clone's store."""
    versions: tuple[Version, ...]


def dataset(clone: Clone, path: str) -> Dataset:
    """Raises `UserError`: `data-unknown`, `pointer-invalid`."""
    output = choose(find_outputs(clone), [path])[0]
    said = next(each for each in parse_pointer(output.text, output.file).outputs if each.path == output.path)
    return Dataset(
        output.path,
        output.file,
        output.md5,
        output.size_bytes,
        output.file_count,
        said.desc,
        _missing_count(clone, output),
        _versions(clone, output),
    )


def _missing_count(clone: Clone, output: Pointed) -> int:
    if output.md5 is None:
        return 0
    wanted = {output.md5}
    if output.is_folder:
        wanted |= set((listing(clone, output.md5) or {}).values())
    return len(missing(clone, wanted))


def _versions(clone: Clone, output: Pointed) -> tuple[Version, ...]:
    """Return the commits that changed the pointer, newest first."""
    root = Path(clone.root)
    words = (
        "--format=%x01%H%x00%ct%x00%s",
        "--raw",
        "--no-abbrev",
        "-z",
        "--no-renames",
        "-m",
        "--first-parent",
    )
    code, log, _ = attempt(root, "log", *words, "HEAD", "--", f":(top,literal){output.file}")
    if code != 0:
        return ()
    found = []
    for record in log.split(b"\x01")[1:]:
        commit, committed_at, rest = record.split(b"\0", 2)
        subject, _, raw = rest.partition(b"\0")
        fields = raw.lstrip(b"\n").split()
        found.append((commit, committed_at, subject, fields[3].decode() if len(fields) > 3 else _NOTHING))
    oids = [oid for *_, oid in found if oid != _NOTHING]
    texts = dict(zip(oids, blobs(root, oids), strict=True))
    return tuple(
        Version(
            commit.decode(),
            float(committed_at),
            subject.decode("utf-8", "replace").rstrip("\n"),
            *_said(texts.get(oid), output),
        )
        for commit, committed_at, subject, oid in found
    )


def _said(text: bytes | None, output: Pointed) -> tuple[str | None, int | None]:
    if text is None:
        return None, None
    try:
        outputs = outputs_of(text.decode("utf-8", "surrogateescape"), output.file)
    except UserError:
        return None, None
    for each in outputs:
        if each.path == output.path:
            return each.md5, each.size_bytes
    return None, None
