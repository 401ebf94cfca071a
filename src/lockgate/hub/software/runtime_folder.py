"""The folder of runtimes: one at a time makes what others wait for, files are whole, a full disk is told."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.errors import OutsideError
from lockgate.hub.software import uv


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place of what is there: readers see the old content or the new, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One at a time over processes and threads; a dead holder lets go by itself (flock(2))."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def disk_told(doing: str) -> Iterator[None]:
    """Raise `OutsideError` (`disk-full`, `runtime-folder`) for an `OSError` inside; `doing`: what failed."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise uv.disk_full(doing) from None
        raise OutsideError(
            f"{doing} failed: {error}", "Check the hub's folder and who owns it.", code="runtime-folder"
        ) from None
