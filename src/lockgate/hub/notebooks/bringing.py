"""Notebooks on their way between git, which has no outputs of them, and the work tree, which has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lockgate.git.contents import read_many
from lockgate.git.listing import EXECUTABLE, FILE, Entry
from lockgate.git.program import git
from lockgate.project.outputs import NotebookError, with_outputs_of, without_outputs

Entries = Mapping[str, Entry | None]


def stripped(root: Path, entries: Entries) -> dict[str, Entry | None]:
    """Return those of these notebooks that have outputs, without; what cannot be read stays out of it."""
    found: dict[str, Entry | None] = {}
    for path, entry, content in _contents(root, entries):
        try:
            made = without_outputs(content)
        except NotebookError:
            continue
        if made is not content:
            found[path] = Entry(entry.mode, _written(root, made))
    return found


def keeping_outputs(root: Path, entries: Entries) -> dict[str, Entry | None]:
    """Return what is to lie in the work tree: notebooks with the outputs that their files there have now."""
    found = dict(entries)
    here = {path: entry for path, entry in entries.items() if path.endswith(".ipynb")}
    for path, entry, content in _contents(root, here):
        try:
            made = with_outputs_of(content, (root / path).read_bytes())
        except OSError:
            continue
        if made != content:
            found[path] = Entry(entry.mode, _written(root, made))
    return found


def _contents(root: Path, entries: Entries) -> list[tuple[str, Entry, bytes]]:
    files = [(path, entry) for path, entry in entries.items() if entry and entry.mode in (FILE, EXECUTABLE)]
    found = read_many(root, [entry.id for _, entry in files])
    return [
        (path, entry, content.content)
        for (path, entry), content in zip(files, found, strict=True)
        if content is not None
    ]


def _written(root: Path, content: bytes) -> str:
    return git(root, "hash-object", "-w", "--stdin", stdin=content).decode().strip()
