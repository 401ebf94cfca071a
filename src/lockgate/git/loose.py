"""Writing one object as a file (gitrepository-layout(5), `objects`): neither git nor libgit2 is needed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from pathlib import Path

from lockgate.errors import OutsideError

#: Who packs the repository removes folders that have become empty, even one that was just made.
_TRIES = 5


def write_object(repository: Path, kind: str, content: bytes) -> str:
    """Write an object of a bare repository as `git hash-object -w` does; return its id.

    Raises `OutsideError` (`git-failed`).
    """
    whole = b"%s %d\0%s" % (kind.encode(), len(content), content)
    oid = hashlib.sha1(whole).hexdigest()
    place = repository / "objects" / oid[:2] / oid[2:]
    draft = place.with_name(f"tmp_obj_{os.urandom(6).hex()}")  # git's own gc removes those that are left
    try:
        for tries_left in reversed(range(_TRIES)):
            try:
                _write(place, draft, whole)
                break
            except FileNotFoundError:
                if not tries_left:
                    raise
    except OSError as error:
        raise OutsideError(
            f"git could not write a {kind} in {repository}: {error.strerror or error}",
            "Look at the disk (`df -h`), then at the repository (`git fsck`).",
            code="git-failed",
        ) from error
    return oid


def _write(place: Path, draft: Path, whole: bytes) -> None:
    place.parent.mkdir(exist_ok=True)
    try:
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444), "wb"
        ) as file:
            file.write(zlib.compress(whole, 1))
        draft.replace(place)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
