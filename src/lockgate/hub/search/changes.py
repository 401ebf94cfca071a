"""What commits changed, read from git in bulk: paths, blobs, and some lines to show."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from lockgate.errors import OutsideError
from lockgate.git.batch import Batch
from lockgate.git.contents import Content
from lockgate.git.trees import TreeEntry, differences, headers_of, parents_of
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
_FILE_MODES = ("100644", "100755")


class BlobChange(msgspec.Struct, frozen=True):
    """One file as a commit changed it; `old` and `new` are blob ids, None where there is none."""

    status: str
    path: str
    old: str | None
    new: str | None


def changes_of(batch: Batch, pairs: Sequence[tuple[str, str | None]]) -> dict[str, list[BlobChange]]:
    """Return commit → what it changed against another commit; None: against its own first parent.

    Raises `OutsideError` (`git-failed`), also where a commit is not there.
    """
    found: dict[str, list[BlobChange]] = {}
    for new, old in pairs:
        commit = _commit(batch, new)
        parents = parents_of(commit)
        base = old if old is not None else parents[0] if parents else None
        old_tree = _tree(_commit(batch, base)) if base is not None else None
        found[new] = [_change(*each) for each in differences(batch, _tree(commit), old_tree)]
    return found


def files_of(batch: Batch, commit: str) -> list[BlobChange]:
    """Return every file of a commit as one that came with it."""
    listed = differences(batch, _tree(_commit(batch, commit)), None)
    return [each for each in (_change(*entry) for entry in listed) if each.new is not None]


def _commit(batch: Batch, id: str) -> Content:
    found = batch.read(f"{id}^{{commit}}")
    if found is None:
        raise OutsideError(
            f"git cat-file found no commit {id} in {batch.repository}",
            f"Run: git -C {batch.repository} fsck",
            code="git-failed",
        )
    return found


def _tree(commit: Content) -> str:
    return next(value for word, value in headers_of(commit) if word == "tree")


def _change(path: str, new: TreeEntry | None, old: TreeEntry | None) -> BlobChange:
    status = "A" if old is None else "D" if new is None else "M" if _sort(old) == _sort(new) else "T"
    return BlobChange(status, path, _blob(old), _blob(new))


def _sort(entry: TreeEntry) -> str:
    return "file" if entry.mode in _FILE_MODES else entry.mode


def _blob(entry: TreeEntry | None) -> str | None:
    return entry.id if entry is not None and entry.mode in _FILE_MODES else None


def read_texts(batch: Batch, blobs: Sequence[str], limit_bytes: int = CODE_LIMIT_BYTES) -> dict[str, str]:
    """Return the texts of those blobs that are texts and not too large."""
    wanted = list(dict.fromkeys(blobs))
    sizes = list(batch.sizes(wanted))
    small = [
        blob for blob, size in zip(wanted, sizes, strict=True) if size is not None and size <= limit_bytes
    ]
    texts = {}
    for blob, found in zip(small, batch.read_many(small), strict=True):
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
