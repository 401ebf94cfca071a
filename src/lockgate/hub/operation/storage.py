"""How much room a project takes on its hub: git, data, artifacts, software."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import msgspec

from lockgate.data.store import Store
from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.operation.figures import stored_bytes
from lockgate.hub.supplying.holdings import Holdings
from lockgate.hub.supplying.object_lookup import ProjectObjects


class ProjectStorage(msgspec.Struct, frozen=True):
    """Bytes of one project. What several projects use is counted with each: it lies there once."""

    project: str
    git_bytes: int
    """Code, small results and the activity, as git packs them."""
    data_bytes: int
    """Objects that were sent, or fetched from the project's remote."""
    artifacts_bytes: int
    """Large artifacts of its stages, as far as nobody sent them too."""
    runtimes_bytes: int
    """The built software of its recorded results."""


def storage_of(hub: Hub, project: str) -> ProjectStorage:
    """Count what a project takes now. Raises `UserError` (`project-unknown`), `OutsideError`."""
    hub.require_project(project)
    sent = Holdings(hub, project).read()
    return ProjectStorage(
        project,
        _git_bytes(hub.repository(project)),
        _object_bytes(hub, sent),
        _object_bytes(hub, ProjectObjects(hub, project).made() - sent),
        sum(_runtime_bytes(*each) for each in _runtimes(hub, project)),
    )


def _git_bytes(repository: Path) -> int:
    """As git counts them (git-count-objects(1))."""
    output = git(repository, "count-objects", "-v").decode()
    found = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
    return 1024 * sum(int(found.get(name, "0")) for name in ("size", "size-pack"))


def _object_bytes(hub: Hub, digests: Iterable[str]) -> int:
    store, total = Store(hub.store), 0
    for md5 in digests:
        try:
            total += store.path(md5).stat().st_size
        except FileNotFoundError:
            continue
    return total


def _runtimes(hub: Hub, project: str) -> list[tuple[Path, int]]:
    """Return the folders of the project's runtimes that are there, each with when it was last changed."""
    if not hub.index.exists():
        return []
    index = Index(hub.index, is_read_only=True)
    try:
        digests = {record.runtime for record in index.results(project)}
    finally:
        index.close()
    folders = [hub.runtimes / digest for digest in sorted(digests) if digest]
    return [(folder, folder.stat().st_mtime_ns) for folder in folders if folder.is_dir()]


@lru_cache(maxsize=256)
def _runtime_bytes(folder: Path, _changed_ns: int) -> int:
    """A built runtime has ten thousands of files and does not change: it is counted once a process."""
    return stored_bytes(folder)
