"""Where the hub finds a project's data that nobody sent it: the project's remote, in DVC's layout."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from lockgate.data.dvc_config import DvcConfig, parse_dvc_config
from lockgate.data.remotes.contract import Remote
from lockgate.errors import LockgateError
from lockgate.git.defaultbranch import default_branch
from lockgate.git.program import attempt
from lockgate.hub.batch_settings import default_manifest
from lockgate.hub.directory import Hub
from lockgate.hub.supplying.remote_grants import way_to

DVC_CONFIG = ".dvc/config"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://.*", re.IGNORECASE)


class DataSource(msgspec.Struct, frozen=True):
    """A project's remote as the hub sees it."""

    url: str
    """Without a secret, as shown to people."""
    open: Callable[[], Remote] | None
    """None: nobody granted the hub's way to it."""
    is_near: bool
    """On the hub's own disks: asking it costs nothing."""


def data_source(hub: Hub, project: str) -> DataSource | None:
    """Return the remote of a project as its default branch names it; None: none that a hub could reach.

    Only a lead may change it there; a folder of the hub's own is none, since other projects' data lies in it.
    Raises `UserError` (`hub-settings`).
    """
    url = _remote_url(hub.repository(project))
    if url is None:
        return None
    if _ADDRESS.fullmatch(url) and not url.startswith("file://"):
        return _far(hub, project, url)
    path = Path(url.removeprefix("file://"))
    if not path.is_absolute():
        return None
    place, own = path.resolve(), hub.root.resolve()
    if place.is_relative_to(own) or own.is_relative_to(place):
        return None

    def open_folder() -> Remote:
        from lockgate.data.remotes.folder import FolderRemote  # noqa: PLC0415

        return FolderRemote(place)

    return DataSource(url, open_folder, is_near=True)


def _far(hub: Hub, project: str, url: str) -> DataSource:
    way = way_to(hub, project, url)
    shown = re.sub(r"^([^:/]+://)[^/@]*@", r"\1", url)
    if way is None:
        return DataSource(shown, None, is_near=False)

    def open_there() -> Remote:
        from lockgate.data.remotes.opening import open_remote  # noqa: PLC0415  (slow libraries)

        return open_remote(way.url, way.options, hub.root)

    return DataSource(shown, open_there, is_near=False)


def _remote_url(repository: Path) -> str | None:
    """Return `[data] remote` of `lockgate.toml`, an address or one of DVC's names, else DVC's default."""
    try:
        manifest = default_manifest(repository)
    except LockgateError:
        return None
    known = _dvc_config(repository)
    declared = manifest.data.remote if manifest is not None else None
    named = known.remotes.get((declared or known.default_remote or "").lower(), {}).get("url")
    return named or declared


def _dvc_config(repository: Path) -> DvcConfig:
    code, content, _ = attempt(repository, "cat-file", "blob", f"{default_branch(repository)}:{DVC_CONFIG}")
    if code != 0:
        return DvcConfig()
    try:
        return parse_dvc_config(content.decode("utf-8", "replace"), DVC_CONFIG)
    except LockgateError:
        return DvcConfig()
