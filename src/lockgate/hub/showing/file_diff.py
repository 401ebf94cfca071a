"""Git's unified diff as files and lines, to be shown. Pure."""

from __future__ import annotations

import msgspec

LINES_AT_MOST = 3000
_KINDS = {"+": "add", "-": "del", "@": "hunk"}


class DiffLine(msgspec.Struct, frozen=True):
    """`kind`: add, del, hunk, or "" for a line around them."""

    kind: str
    text: str


class FileDiff(msgspec.Struct, frozen=True):
    """One file's changes; `added` and `removed` count lines, of those cut off too."""

    path: str
    status: str
    """added, deleted, renamed, changed, or binary."""
    lines: tuple[DiffLine, ...]
    added: int
    removed: int
    is_cut: bool = False
    old: str = ""
    """Its path before, where that is known."""


def parse(output: bytes) -> list[FileDiff]:
    """Return the files of a `git diff --no-color` in their order (git-diff(1), Generating patch text)."""
    files: list[FileDiff] = []
    left = LINES_AT_MOST
    for part in ("\n" + output.decode("utf-8", "replace")).split("\ndiff --git ")[1:]:
        made = _file(part, left)
        left = max(0, left - len(made.lines))
        files.append(made)
    return files


def _file(part: str, limit: int) -> FileDiff:
    head, status, old, new = part.split("\n", 1)[0], "changed", "", ""
    lines: list[DiffLine] = []
    added = removed = 0
    is_body = False
    for line in part.split("\n")[1:]:
        if line.startswith("@@"):
            is_body = True
        if is_body:
            kind = _KINDS.get(line[:1], "")
            added, removed = added + (kind == "add"), removed + (kind == "del")
            lines.append(DiffLine(kind, line))
        elif line.startswith(("--- ", "+++ ")):
            name = "" if line[4:] == "/dev/null" else _unquoted(line[4:])[2:]
            old, new = (name, new) if line[0] == "-" else (old, name)
        elif line.startswith("new file"):
            status = "added"
        elif line.startswith("deleted file"):
            status = "deleted"
        elif line.startswith("rename from "):
            old = _unquoted(line.removeprefix("rename from "))
        elif line.startswith("rename to "):
            status, new = "renamed", _unquoted(line.removeprefix("rename to "))
        elif line.startswith("Binary files"):
            status = "binary"
    if lines and lines[-1].text == "":
        lines.pop()
    path = new or old or _unquoted(head[len(head) // 2 + 1 :])[2:]
    return FileDiff(path, status, tuple(lines[:limit]), added, removed, is_cut=len(lines) > limit, old=old)


def _unquoted(name: str) -> str:
    """A name as git writes it: in quotes with C's escapes where it holds odd characters."""
    name = name.rstrip("\t")
    if not (len(name) > 1 and name[0] == name[-1] == '"'):
        return name
    inner = name[1:-1].encode("utf-8", "surrogateescape").decode("unicode_escape", "replace")
    return inner.encode("latin-1", "replace").decode("utf-8", "replace")
