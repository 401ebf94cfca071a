"""Which other projects of a hub use a project's data, on their default branches."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import msgspec

from lockgate.data.imported import Origin, is_import, origin_of
from lockgate.data.pointer import parse_pointer
from lockgate.errors import LockgateError
from lockgate.hub.datasets.catalogue import commit_at
from lockgate.hub.datasets.dataset_uses import version_at
from lockgate.hub.datasets.lending import borrowers
from lockgate.hub.directory import Hub
from lockgate.project.snapshot import CommitSource
from lockgate.runs.pointed import pointer_paths


class Importer(msgspec.Struct, frozen=True, kw_only=True):
    """A project that imports a dataset, or a part of it."""

    project: str
    path: str
    """Where it lies there."""
    version: str
    """What it follows; "": the default branch."""
    commit: str
    """Of the source, to which it is pinned."""
    content: str | None
    """What identifies the source at that commit, as its entry does; None: only a part of it is imported."""


def importers_of(hub: Hub, project: str, path: str, readable: Collection[str]) -> tuple[Importer, ...]:
    """Return who imports a dataset, of the projects that may be told of."""
    source = hub.repository(project)
    found = []
    for borrower in borrowers(hub, project):
        if borrower in readable:
            repository = hub.repository(borrower)
            commit = commit_at(repository, None)
            for place, origin in _imports_at(repository, commit) if commit is not None else ():
                if origin.project == project and _touch(origin.path, path):
                    is_whole = origin.path == path
                    found.append(
                        Importer(
                            project=borrower,
                            path=place,
                            version=origin.version,
                            commit=origin.commit,
                            content=version_at(source, origin.commit, path) if is_whole else None,
                        )
                    )
    return tuple(found)


@lru_cache(maxsize=512)
def _imports_at(repository: Path, commit: str) -> tuple[tuple[str, Origin], ...]:
    """Return what a commit imports: path, origin. A commit never changes."""
    source = CommitSource(repository, commit)
    found = []
    for file, content in source.read(pointer_paths(source.files())).items():
        text = content.decode("utf-8", "surrogateescape")
        if is_import(text):
            try:
                pointer = parse_pointer(text, file)
            except LockgateError:
                continue
            origin = origin_of(pointer)
            if origin is not None:
                found += [(each.path, origin) for each in pointer.outputs]
    return tuple(found)


def _touch(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")
