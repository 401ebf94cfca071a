"""Paths as a manifest names them: relative to the project, with `/`, never outside it."""

from __future__ import annotations

import posixpath
import re
from typing import Literal

PathFault = Literal["path-outside", "path-invalid"]

_PLAIN = re.compile(r"(?!\.)[\w\-+=,@~%#*?\[\]!^ .]*[\w\-](?:\.\w+)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class PathError(ValueError):
    """A path that cannot be meant; `code` is `path-outside` or `path-invalid`."""

    def __init__(self, message: str, hint: str, code: PathFault) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def clean_path(written: str) -> str:
    """Return the one spelling of a path: no `./`, no doubled or trailing `/`.

    Raises `PathError` for one that is empty, absolute, leaves the project, lies in `.git`, or has a
    backslash or a control character in it.
    """
    if "/" not in written and _PLAIN.fullmatch(written):
        return written
    _refuse_spelling(written)
    parts = [part for part in written.split("/") if part not in ("", ".")]
    if not parts:
        raise PathError(
            f'"{written}" is the whole project', "Name the files and folders in it.", "path-invalid"
        )
    for part in parts:
        if part == "..":
            raise PathError(
                f'"{written}" leaves the project', "Use paths inside the project.", "path-outside"
            )
        if part.lower() == ".git":
            raise PathError(f'"{written}" lies in git\'s own folder', "Use another path.", "path-outside")
    clean = "/".join(parts)
    if clean != written:
        _refuse_spelling(clean)
    return clean


def seen_from_project(folder: str, path: str) -> str:
    """Return a path as seen from the project; an absolute or empty one is left to be refused by name."""
    return path if not path and folder else posixpath.normpath(posixpath.join(folder, path or "."))


def _refuse_spelling(written: str) -> None:
    if not written.strip():
        raise PathError("a path is empty", "Name a file or folder, or remove the entry.", "path-invalid")
    if _CONTROL.search(written):
        shown = _CONTROL.sub("?", written)
        raise PathError(
            f'"{shown}" has a control character in it', "Rename the file without it.", "path-invalid"
        )
    if "\\" in written:
        raise PathError(
            f'"{written}" has a backslash in it', 'Write "/" between folders and files.', "path-invalid"
        )
    if written.startswith(("/", "~/")) or re.match(r"[A-Za-z]:/", written):
        raise PathError(
            f'"{written}" is not relative to the project',
            "Write the path as seen from the project's top folder.",
            "path-outside",
        )
    if "://" in written:
        raise PathError(
            f'"{written}" is an address, not a path',
            "Bring the data in with a stage that downloads it.",
            "path-outside",
        )
