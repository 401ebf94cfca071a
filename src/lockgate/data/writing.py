"""Small files of the work tree, written whole or not at all."""

from __future__ import annotations

import os

from lockgate.errors import OutsideError


def write_pointer_file(root: str, file: str, text: str) -> None:
    """Write a pointer, whole or not at all. Raises `OutsideError` (`file-unwritable`)."""
    try:
        write_whole(f"{root}/{file}", text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise OutsideError(
            f"{file} cannot be written: {error.strerror or error}",
            "Look at the disk (df -h) and the rights there, then say it again: it is as it was.",
            code="file-unwritable",
            is_transient=True,
        ) from None


def write_whole(path: str, content: bytes) -> None:
    """Put a file in place of what is there; a link is followed, the file's rights stay. Raises `OSError`."""
    path = os.path.realpath(path)
    draft = f"{path}.{os.getpid()}.new"
    try:
        with open(draft, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            os.chmod(draft, os.stat(path).st_mode & 0o7777)
        os.replace(draft, path)
    finally:
        if os.path.exists(draft):
            os.unlink(draft)
