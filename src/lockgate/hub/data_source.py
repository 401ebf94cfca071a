"""Where the hub finds a project's data that nobody sent it: the project's remote, in DVC's layout."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from lockgate.data.dvc_config import parse_dvc_config
from lockgate.data.store import Store
from lockgate.errors import LockgateError
from lockgate.git.defaultbranch import default_branch
from lockgate.git.program import attempt
from lockgate.hub.batch_settings import default_manifest
from lockgate.hub.directory import Hub

DVC_CONFIG = ".dvc/config"


class Source(Protocol):
    """A place that may have objects."""

    def present(self, digests: Collection[str]) -> set[str]:
        """Return those of them that are there. Raises `OutsideError` where the place cannot be asked."""

    def fetch(self, md5: str, target: Path) -> None:
        """Write an object's bytes to a file; they are checked by whoever asked. Raises `OutsideError`."""


class FolderSource:
    """A folder on the hub's own disks, as `dvc push` fills it."""

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)

    def present(self, digests: Collection[str]) -> set[str]:
        return {md5 for md5 in digests if self._store.path(md5).is_file()}

    def fetch(self, md5: str, target: Path) -> None:
        self._store.copy_to(md5, target)


def data_source(hub: Hub, project: str) -> Source | None:
    """Return the remote of a project as its default branch names it; None: none that the hub can reach.

    Only a lead may change it there; a folder of the hub's own is none, since other projects' data lies in it.
    """
    url = _remote_url(hub.repository(project))
    if url is None:
        return None
    path = Path(url.removeprefix("file://"))
    if "://" in url.removeprefix("file://") or not path.is_absolute():
        return None
    place, own = path.resolve(), hub.root.resolve()
    if place.is_relative_to(own) or own.is_relative_to(place):
        return None
    return FolderSource(place)


def _remote_url(repository: Path) -> str | None:
    try:
        manifest = default_manifest(repository)
    except LockgateError:
        return None
    if manifest is not None and manifest.data.remote is not None:
        return manifest.data.remote
    code, content, _ = attempt(repository, "cat-file", "blob", f"{default_branch(repository)}:{DVC_CONFIG}")
    if code != 0:
        return None
    try:
        config = parse_dvc_config(content.decode("utf-8", "replace"), DVC_CONFIG)
    except LockgateError:
        return None
    return config.remotes.get(config.default_remote or "", {}).get("url")
