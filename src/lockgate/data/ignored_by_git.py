"""`.gitignore`: data stays out of git, by the lines that DVC writes (scmrepo, `git/__init__.py`)."""

from __future__ import annotations

import fcntl
import os

from lockgate.data.writing import write_whole


def ignore(root: str, path: str) -> None:
    """Have git pass over this path, by a line in the `.gitignore` beside it unless one does already."""
    folder, _, name = path.rpartition("/")
    beside = os.open(f"{root}/{folder}" if folder else root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(beside, fcntl.LOCK_EX)  # of two that add a line, the later sees the earlier's
        _add_line(root, path, f"{root}/{folder}/.gitignore" if folder else f"{root}/.gitignore", name)
    finally:
        os.close(beside)


def _add_line(root: str, path: str, file: str, name: str) -> None:
    line = ("/" + _escaped(name)).encode()
    try:
        with open(file, "rb") as opened:
            content = opened.read()
    except FileNotFoundError:
        content = b""
    if line in content.split(b"\n") or _is_ignored(root, path):
        return
    gap = b"\n" if content and not content.endswith(b"\n") else b""
    write_whole(file, content + gap + line + b"\n")


def _escaped(name: str) -> str:
    """As `pathspec`'s `escape`, which DVC uses."""
    return "".join("\\" + each if each in "\\[]!*#?" else each for each in name)


def _is_ignored(root: str, path: str) -> bool:
    from pathlib import Path  # noqa: PLC0415  (only the first time)

    from lockgate.git.program import attempt  # noqa: PLC0415

    code, _, _ = attempt(Path(root), "check-ignore", "-q", "--no-index", "--", path)
    return code == 0
