"""Merging two commits in a place apart: only objects are written, and no file ever has marks in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError
from lockgate.git.contents import read_many
from lockgate.git.listing import FILE, Entry
from lockgate.git.merging import merge_trees
from lockgate.git.program import attempt, git
from lockgate.hub.notebooks import merge as notebooks
from lockgate.hub.sync.conflict import Choice, Conflict, Side, decided
from lockgate.hub.sync.content import changed_between
from lockgate.project.pipeline import LOCK_FILE

#: A longer text is not shown to choose from; it is taken as a whole.
_SHOWN_BYTES = 400_000


class Merged(msgspec.Struct, frozen=True):
    """The tree of a merge, or what stands in its way."""

    tree: str
    conflicts: tuple[Conflict, ...] = ()
    asked: tuple[str, ...] = ()
    """Paths that could not be merged without being asked about, those decided included."""


class _Three(msgspec.Struct, frozen=True):
    """One path as it was, as one has it, as the other has it."""

    base: bytes | None
    mine: bytes | None
    theirs: bytes | None


def merge(root: Path, mine: str, theirs: str, choices: Mapping[str, Choice]) -> Merged:
    """Merge two commits, what cannot be merged by itself as was chosen.

    Raises `UserError` (`choice-invalid`), `OutsideError` (`git-failed`).
    """
    found = merge_trees(root, mine, theirs)
    base = _base(root, mine, theirs)
    by_both = _by_both(root, base, mine, theirs)
    paths = [*found.conflicts, *_broken_notebooks(root, found.tree, by_both, found.conflicts)]
    if not paths:
        return Merged(found.tree)
    entries = {
        side: _entries(root, commit, paths) for side, commit in (("b", base), ("m", mine), ("t", theirs))
    }
    solved: dict[str, Entry | None] = {}
    conflicts: list[Conflict] = []
    asked: list[str] = []
    for path in paths:
        sides = [entries[side].get(path) for side in "bmt"]
        outcome = _one(root, path, sides)
        if isinstance(outcome, tuple):
            solved[path] = outcome[0]
            continue
        asked.append(path)
        choice = decided(outcome.conflict, choices)
        if choice is None:
            conflicts.append(outcome.conflict)
        else:
            solved[path] = _chosen(root, sides, outcome.notebook, choice)
    if conflicts:
        return Merged(found.tree, tuple(conflicts), tuple(asked))
    return Merged(tree_with(root, found.tree, solved), (), tuple(asked))


class _Undecided(msgspec.Struct, frozen=True):
    conflict: Conflict
    notebook: notebooks.Merge | None


def _one(root: Path, path: str, sides: Sequence[Entry | None]) -> _Undecided | tuple[Entry | None]:
    """Return what becomes of a path, where that is clear."""
    _, mine, theirs = sides
    if mine == theirs:
        return (mine,)
    three = _Three(*_contents(root, sides))
    if path == LOCK_FILE and mine and theirs:
        return (Entry(mine.mode, _blob(root, _united(root, three))),)
    notebook = notebooks.merge(three.base, three.mine, three.theirs) if path.endswith(".ipynb") else None
    if notebook is not None and mine and not notebook.cells:
        return (Entry(mine.mode, _blob(root, notebook.solve({}))),)
    return _Undecided(_conflict(root, path, sides, three, notebook), notebook)


def _chosen(
    root: Path, sides: Sequence[Entry | None], notebook: notebooks.Merge | None, choice: Choice
) -> Entry | None:
    _, mine, theirs = sides
    if choice.take == "mine":
        return mine
    if choice.take == "theirs":
        return theirs
    content = notebook.solve(choice.cells) if choice.take == "cells" and notebook else choice.text.encode()
    there = mine or theirs
    return Entry(there.mode if there else FILE, _blob(root, content))


def _conflict(
    root: Path, path: str, sides: Sequence[Entry | None], three: _Three, notebook: notebooks.Merge | None
) -> Conflict:
    _, mine, theirs = sides
    key = hashlib.sha256(repr((path, mine, theirs)).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    here, there = _side(mine, three.mine), _side(theirs, three.theirs)
    if here is None:
        return Conflict(path, key, "deleted-by-me", here, there)
    if there is None:
        return Conflict(path, key, "deleted-by-them", here, there)
    if notebook is not None:
        return Conflict(path, key, "notebook", here, there, notebook.cells)
    if here.text is None or there.text is None:
        return Conflict(path, key, "binary", here, there)
    return Conflict(path, key, "text", here, there, (), _marked(root, three))


def _side(entry: Entry | None, content: bytes | None) -> Side | None:
    if entry is None or content is None:
        return None
    text = None
    if len(content) <= _SHOWN_BYTES and b"\0" not in content:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = None
    return Side(entry.id, len(content), text)


def _united(root: Path, three: _Three) -> bytes:
    """Merge a lock file: each line stands alone, so both sides' are kept (see `lockgate.runs.lockfile`)."""
    return _merge_file(root, three, "--union")


def _marked(root: Path, three: _Three) -> str:
    return _merge_file(root, three, "--diff3").decode("utf-8", "replace")


def _merge_file(root: Path, three: _Three, how: str) -> bytes:
    import tempfile  # noqa: PLC0415  (only where there is a conflict)

    with tempfile.TemporaryDirectory(prefix="lockgate-merge-") as name:
        places = []
        for side, content in (("mine", three.mine), ("base", three.base), ("theirs", three.theirs)):
            place = Path(name, side)
            place.write_bytes(content or b"")
            places.append(str(place))
        code, output, error = attempt(
            root, "merge-file", "-p", how, "-L", "mine", "-L", "before", "-L", "theirs", *places
        )
    if code >= 128:
        raise OutsideError(
            f"git merge-file failed: {error.decode('utf-8', 'replace').strip()[-300:]}",
            "Merge by hand: git merge hub/BRANCH",
            code="git-failed",
        )
    return output


def _by_both(root: Path, base: str | None, mine: str, theirs: str) -> set[str]:
    if base is None:
        return set()
    return {*changed_between(root, base, mine)} & {*changed_between(root, base, theirs)}


def _broken_notebooks(root: Path, tree: str, by_both: set[str], known: Sequence[str]) -> list[str]:
    """Return notebooks that git merged line by line into something that is none."""
    paths = sorted(path for path in by_both if path.endswith(".ipynb") and path not in known)
    contents = read_many(root, [f"{tree}:{path}" for path in paths])
    return [
        path
        for path, content in zip(paths, contents, strict=True)
        if content is not None and not notebooks.is_notebook(content.content)
    ]


def _base(root: Path, mine: str, theirs: str) -> str | None:
    code, output, _ = attempt(root, "merge-base", mine, theirs)
    return output.decode().strip() if code == 0 else None


def _entries(root: Path, commit: str | None, paths: Sequence[str]) -> dict[str, Entry]:
    if commit is None:
        return {}
    wanted = set(paths)
    output = git(root, "ls-tree", "-r", "-z", "--full-tree", commit)
    found: dict[str, Entry] = {}
    for record in output.decode("utf-8", "surrogateescape").split("\0"):
        about, _, path = record.partition("\t")
        if path in wanted:
            mode, _, oid = about.split(" ", 2)
            found[path] = Entry(int(mode, 8), oid)
    return found


def _contents(root: Path, sides: Sequence[Entry | None]) -> list[bytes | None]:
    ids = [side.id if side else "0" * 40 for side in sides]
    return [found.content if found else None for found in read_many(root, ids)]


def _blob(root: Path, content: bytes) -> str:
    return git(root, "hash-object", "-w", "--stdin", stdin=content).decode().strip()


def tree_with(root: Path, tree: str, solved: Mapping[str, Entry | None]) -> str:
    """Return a tree with these paths otherwise."""
    import os  # noqa: PLC0415

    index = root / git(root, "rev-parse", "--git-path", f"lockgate-merge-{os.getpid()}").decode().rstrip("\n")
    environment = {"GIT_INDEX_FILE": os.fspath(index)}
    lines = "".join(
        f"{entry.mode:o} {entry.id} 0\t{path}\0" if entry else f"0 {'0' * 40}\t{path}\0"
        for path, entry in solved.items()
    )
    try:
        git(root, "read-tree", tree, environment=environment)
        words = ("update-index", "-z", "--index-info")
        git(root, *words, stdin=lines.encode("utf-8", "surrogateescape"), environment=environment)
        return git(root, "write-tree", environment=environment).decode().strip()
    finally:
        index.unlink(missing_ok=True)
