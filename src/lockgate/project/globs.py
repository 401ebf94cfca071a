"""Which paths a pattern takes: `*` and `?` stay within a folder, `**` crosses folders, `[...]` is one of."""

from __future__ import annotations

import re
from collections.abc import Callable

_MAGIC = re.compile(r"[*?\[]")


def is_glob(path: str) -> bool:
    """Return whether `path` is a pattern rather than the name of one file or folder."""
    return _MAGIC.search(path) is not None


def compile_glob(pattern: str) -> Callable[[str], bool]:
    """Return a test for paths relative to the project.

    As in a shell: `*` is any run of characters but `/`, `?` one character but `/`, `[a-c]` and `[!a-c]` one
    of (none of) a set, a `[` that nothing closes is itself. `**` as a whole part of a path stands for any
    number of folders, none included. A pattern that takes a folder takes what is under it. Names that start
    with a dot are taken like any other.
    """
    matches = re.compile(_translate(pattern.split("/")) + r"(?:/.*)?", re.DOTALL).fullmatch
    return lambda path: matches(path) is not None


def may_hold(pattern: str, folder: str) -> bool:
    """Return whether `folder`, if it is one, may hold files that `pattern` takes.

    Said only where the parts of the pattern before a `**` name the folder: `build/*/a.csv` may be held by
    `build/x`, whereas `**/a.csv` would be held by anything.
    """
    parts = pattern.split("/")
    names = folder.split("/")
    if len(names) >= len(parts) or "**" in parts[: len(names)]:
        return False
    head = parts[: len(names)]
    return re.compile(_translate(head), re.DOTALL).fullmatch(folder) is not None


def fixed_folder(pattern: str) -> str:
    """Return the folder all that `pattern` takes lies in, as far as it is spelled out; '' for the project."""
    fixed: list[str] = []
    for part in pattern.split("/")[:-1]:
        if is_glob(part):
            break
        fixed.append(part)
    return "/".join(fixed)


def _translate(parts: list[str]) -> str:
    """Return a regular expression that cannot run away.

    What stands between two `**` is looked for once, at its first place: whatever the first place leaves
    over, the second `**` takes. Atomic groups say so, as they do in Python's own `fnmatch.translate`.
    """
    chunks: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            chunks.append([])
        else:
            chunks[-1].append(_translate_part(part))
    first, *middle = chunks
    if not middle:
        return "/".join(first)
    last = middle.pop()
    written = [f"{part}/" for part in first]
    written += [f"(?>(?:[^/]+/)*?{'/'.join(chunk)}/)" for chunk in middle if chunk]
    written.append(f"(?:[^/]+/)*?{'/'.join(last)}" if last else ".+")
    return "".join(written)


def _translate_part(part: str) -> str:
    """Translate one folder's or file's name; between two `*` the first place is taken, as above."""
    pieces = [""]
    at = 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            pieces.append("")
        elif character == "?":
            pieces[-1] += "[^/]"
        elif character == "[":
            end = part.find("]", at + 2 if part[at : at + 1] in ("!", "^") else at + 1)
            if end < 0:
                pieces[-1] += r"\["
            else:
                pieces[-1] += _translate_set(part[at:end])
                at = end + 1
        else:
            pieces[-1] += re.escape(character)
    first, *middle = pieces
    if not middle:
        return first
    last = middle.pop()
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle if piece) + f"[^/]*{last}"


def _translate_set(inside: str) -> str:
    is_negated = inside[0] in "!^"
    body = inside[1:] if is_negated else inside
    ranges: list[str] = []
    at = 0
    while at < len(body):
        first = last = body[at]
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            last = body[at + 2]
            at += 2
        at += 1
        if first <= last:
            ranges.append(f"{re.escape(first)}-{re.escape(last)}")
    if not ranges:
        return "[^/]" if is_negated else "(?!)"
    joined = "".join(ranges)
    return f"[^/{joined}]" if is_negated else f"(?!/)[{joined}]"
