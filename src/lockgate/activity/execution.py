"""One executed cell: a value, and how it becomes an entry of a journal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from lockgate.activity.entry import Activity
from lockgate.activity.secrets import mask

KIND = "cell.executed"
CODE, OUTPUT = "code", "output.txt"
#: So much of a cell's code, and of the end of what it printed, is kept.
CODE_CHARS = 100_000
OUTPUT_CHARS = 20_000
_TITLE_CHARS = 100
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/svg+xml": "svg"}
#: In Python and R, in languages of the C family, in SQL and Lua, in TeX and MATLAB.
_MARK = re.compile(r"^[ \t]*(?:#|//|--|%)[ \t]*lockgate:[ \t]*(hide|ignore)[ \t]*$", re.MULTILINE)

Mark = Literal["hide", "ignore"]


class Picture(msgspec.Struct, frozen=True):
    """An image that a cell showed; `type` is its media type."""

    type: str
    content: bytes


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What one cell did. Times: seconds since the epoch."""

    code: str
    count: int | None = None
    started_at: float
    seconds: float = 0.0
    status: Literal["ok", "error", "unknown"] = "unknown"
    """`unknown`: the kernel ended first, or its last word was lost."""
    error: str | None = None
    """The error in one line."""
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    left_out: tuple[str, ...] = ()
    """What was too much to keep, in words."""
    kernel: str = ""
    notebook: str | None = None
    """Below the project's root; None: a console or a program."""
    cell: str | None = None
    """Its id in the notebook."""
    ref: str | None = None
    """The branch that was checked out."""
    request: str = ""
    """The id of the message that asked for it."""


def mark_of(code: str) -> Mark | None:
    """Return what a comment `# lockgate: hide` or `# lockgate: ignore` asks for; the stronger of both."""
    found = _MARK.findall(code)
    return "ignore" if "ignore" in found else "hide" if found else None


def entry_of(
    done: Execution, by: str, snapshot: str | None, secrets: Sequence[str]
) -> tuple[Activity, dict[str, bytes]]:
    """Return the entry and its files; `snapshot`: the work tree at that moment. Secrets are masked."""
    is_hidden = mark_of(done.code) == "hide"
    code = mask(done.code, secrets)
    files = {CODE: code[:CODE_CHARS].encode("utf-8", "replace")}
    text = "" if is_hidden else mask(done.text, secrets)
    pictures = () if is_hidden else done.pictures
    if text:
        files[OUTPUT] = text[-OUTPUT_CHARS:].encode("utf-8", "replace")
    shown = []
    for number, picture in enumerate(pictures):
        name = f"pictures/{number}.{_ENDINGS[picture.type]}"
        files[name] = picture.content
        shown.append({"file": name, "type": picture.type})
    error = mask(done.error, secrets) if done.error and not is_hidden else None
    evidence: dict[str, object] = {
        "notebook": done.notebook,
        "cell": done.cell,
        "count": done.count,
        "kernel": done.kernel,
        "status": done.status,
        "seconds": round(done.seconds, 3),
        "error": error,
        "pictures": shown,
        "left_out": list(done.left_out),
        "is_hidden": is_hidden,
    }
    activity = Activity(
        kind=KIND,
        at=datetime.fromtimestamp(done.started_at + done.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        by=by,
        title=title_of(code, done.notebook, done.count),
        ref=done.ref,
        commit=snapshot,
        evidence={name: value for name, value in evidence.items() if value not in (None, [], False)},
    )
    return activity, files


def title_of(code: str, notebook: str | None, count: int | None) -> str:
    """Return one readable line: where, and the first line that does something."""
    where = notebook.rpartition("/")[2] if notebook else "console"
    number = f" [{count}]" if count is not None else ""
    return f"{where}{number}: {telling_line(code)}"


def telling_line(code: str) -> str:
    """Return the first line that does something, with those it goes on in, cut to a readable length."""
    lines = [line.strip() for line in code.splitlines()]
    telling = [line for line in lines if line and not line.startswith(("#", "//", "--", "%%"))] or lines
    first = next((line for line in telling if line), "an empty cell")
    for line in telling[telling.index(first) + 1 :] if first in telling else ():
        if len(first) > _TITLE_CHARS or first[-1] not in "([{":
            break
        first += line
    return first if len(first) <= _TITLE_CHARS else first[: _TITLE_CHARS - 1] + "…"
