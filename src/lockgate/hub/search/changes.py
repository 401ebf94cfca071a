"""What commits changed, read from git in bulk: paths, blobs, and some lines to show."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.git.contents import AS_WRITTEN, read_many
from lockgate.git.program import git
from lockgate.hub.search.detail import Change, Snippet
from lockgate.project.pipeline import LOCK_FILE

#: Files larger than this are data, not code.
CODE_LIMIT_BYTES = 128_000
#: So many files, and so many lines of each, are shown beneath an entry.
SHOWN_CHANGES = 30
_SHOWN_SNIPPETS = 3
_SHOWN_LINES = 14
_LONGEST_LINE = 200
_SNIPPET_BYTES = 60_000
_ABSENT = "0" * 40
_FILE_MODES = ("100644", "100755")


class BlobChange(msgspec.Struct, frozen=True):
    """One file as a commit changed it; `old` and `new` are blob ids, None where there is none."""

    status: str
    path: str
    old: str | None
    new: str | None


def changes_of(repository: Path, pairs: Sequence[tuple[str, str | None]]) -> dict[str, list[BlobChange]]:
    """Return commit → what it changed against another commit; None: against its own first parent.

    Raises `OutsideError` (`git-failed`), also where a commit is not there.
    """
    if not pairs:
        return {}
    asked = "".join(f"{new} {old}\n" if old else f"{new}\n" for new, old in pairs)
    output = git(
        repository, "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--root", "--no-abbrev",
        stdin=asked.encode(), environment=AS_WRITTEN,
    )  # fmt: skip
    found: dict[str, list[BlobChange]] = {}
    current: list[BlobChange] = []
    fields = iter(output.decode("utf-8", "replace").split("\0"))
    for field in fields:
        # git-diff-tree(1), Raw output format: `:mode mode id id status`, NUL, path
        if not field.startswith(":"):
            current = found.setdefault(field.strip(), [])
            continue
        old_mode, new_mode, old, new, status = field[1:].split(" ")
        path = next(fields)
        current.append(
            BlobChange(
                status[:1],
                path,
                old if old_mode in _FILE_MODES and old != _ABSENT else None,
                new if new_mode in _FILE_MODES and new != _ABSENT else None,
            )
        )
    return found


def files_of(repository: Path, commit: str) -> list[BlobChange]:
    """Return every file of a commit as one that came with it."""
    output = git(repository, "ls-tree", "-r", "-z", commit, environment=AS_WRITTEN)
    found = []
    for line in output.decode("utf-8", "replace").split("\0")[:-1]:
        head, _, path = line.partition("\t")
        mode, _, blob = head.split(" ")
        if mode in _FILE_MODES:
            found.append(BlobChange("A", path, None, blob))
    return found


def read_texts(repository: Path, blobs: Sequence[str], limit_bytes: int = CODE_LIMIT_BYTES) -> dict[str, str]:
    """Return the texts of those blobs that are texts and not too large."""
    wanted = list(dict.fromkeys(blobs))
    if not wanted:
        return {}
    told = git(
        repository, "cat-file", "--batch-check=%(objectname) %(objectsize)",
        stdin="".join(f"{blob}\n" for blob in wanted).encode(), environment=AS_WRITTEN,
    )  # fmt: skip
    sizes = dict(line.split(" ", 1) for line in told.decode().splitlines())
    small = [blob for blob in wanted if sizes.get(blob, "").isdigit() and int(sizes[blob]) <= limit_bytes]
    texts = {}
    for blob, found in zip(small, read_many(repository, small), strict=True):
        if found is not None and b"\0" not in found.content:
            texts[blob] = found.content.decode("utf-8", "replace")
    return texts


def shown(changes: Sequence[BlobChange]) -> tuple[Change, ...]:
    """Return the changes as a list to show, the lock file left out."""
    kept = [Change(each.status, each.path) for each in changes if each.path != LOCK_FILE]
    return tuple(kept[:SHOWN_CHANGES])


def worth_showing(changes: Sequence[BlobChange]) -> list[BlobChange]:
    """Return the files whose lines are shown: the first few that are not results."""
    kept = [each for each in changes if each.path != LOCK_FILE and each.new is not None]
    return sorted(kept, key=lambda each: (not _is_code(each.path), each.path))[:_SHOWN_SNIPPETS]


def snippets(changes: Sequence[BlobChange], texts: Mapping[str, str]) -> tuple[Snippet, ...]:
    """Return some changed lines of each file that is worth showing and of which the texts are known."""
    return tuple(_snippets(worth_showing(changes), texts))


def _snippets(changes: Sequence[BlobChange], texts: Mapping[str, str]) -> Iterator[Snippet]:
    for change in changes:
        new = texts.get(change.new or "")
        old = texts.get(change.old or "") if change.old is not None else ""
        if new is None or old is None or len(new) + len(old) > _SNIPPET_BYTES:
            continue
        before, after = readable(change.path, old), readable(change.path, new)
        lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm=""))[2:]
        if lines:
            cut = tuple(line[:_LONGEST_LINE] for line in lines[:_SHOWN_LINES])
            yield Snippet(change.path, cut, is_cut=len(lines) > _SHOWN_LINES)


def readable(path: str, text: str) -> str:
    """Return a file as people read it: of a notebook its cells' sources."""
    if not path.endswith(".ipynb"):
        return text
    try:
        cells = json.loads(text)["cells"]
        return "\n\n".join(_source(cell["source"]) for cell in cells)
    except (ValueError, KeyError, TypeError, RecursionError):
        return text


def _source(source: object) -> str:
    return "".join(str(line) for line in source) if isinstance(source, list) else str(source)


def _is_code(path: str) -> bool:
    return path.endswith((".py", ".ipynb", ".r", ".R", ".sql", ".sh", ".jl", ".toml", ".yaml", ".yml", ".md"))
