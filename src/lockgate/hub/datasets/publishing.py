"""Gathering what catalogues elsewhere are told of a project's datasets."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Iterator
from urllib.parse import quote

from lockgate.data.dataset_versions import refreshed, versions_of
from lockgate.data.digest import md5_of
from lockgate.data.store import Store
from lockgate.git.contents import read_many
from lockgate.git.program import attempt, git
from lockgate.hub.datasets.catalogue import Catalogue, Listed, catalogue
from lockgate.hub.datasets.profiles import profile_of
from lockgate.hub.datasets.published import Published, PublishedFile
from lockgate.hub.directory import Hub
from lockgate.hub.supplying.object_lookup import ProjectObjects

#: So many files of a folder are told.
_MOST_FILES = 1_000


def publish(
    hub: Hub, project: str, address: str, path: str | None = None, revision: str | None = None
) -> list[Published]:
    """Return one dataset, or all without a look at their content. `address`: where the hub is served.

    Raises `UserError`: `project-unknown`, `revision-unknown`, `data-unknown`.
    """
    found = catalogue(hub, project, revision)
    if path is not None:
        return [_published(hub, project, address, found, found.find(path), has_profile=True)]
    return [_published(hub, project, address, found, each, has_profile=False) for each in found.datasets]


def page_of(address: str, project: str, path: str | None = None) -> str:
    """Return the address of a project's catalogue, or of one dataset in it."""
    page = f"{address}/p/{quote(project, safe='')}/data"
    return page if path is None else f"{page}/{quote(path)}"


def _published(
    hub: Hub, project: str, address: str, found: Catalogue, listed: Listed, *, has_profile: bool
) -> Published:
    entry, commit = listed.entry, found.commit or ""
    repository = hub.repository(project)
    versions = versions_of(repository, commit, entry.path, entry.pointer, 50)
    newest = refreshed(versions)
    at = newest.committed_at if newest is not None else _committed_at(hub, project, commit)
    files = list(_files(hub, project, address, listed, commit))
    return Published(
        project=project,
        entry=entry,
        standing=listed.standing,
        page=page_of(address, project, entry.path),
        refreshed_on=time.strftime("%Y-%m-%d", time.gmtime(at)),
        files=tuple(files[:_MOST_FILES]),
        is_cut=len(files) > _MOST_FILES,
        profile=profile_of(hub, project, entry) if has_profile else None,
    )


def _committed_at(hub: Hub, project: str, commit: str) -> float:
    return float(git(hub.repository(project), "log", "-1", "--format=%ct", commit).decode().strip() or 0)


def _files(hub: Hub, project: str, address: str, listed: Listed, commit: str) -> Iterator[PublishedFile]:
    """Yield the files of a dataset that the hub has, those beyond the most that are told by one."""
    entry, store = listed.entry, Store(hub.store)
    name = posixpath.basename(entry.path)
    objects = f"{address}/api/v1/projects/{quote(project, safe='')}/objects"
    if entry.md5 is not None and ProjectObjects(hub, project).has(entry.md5):
        if not entry.md5.endswith(".dir"):
            size = store.path(entry.md5).stat().st_size
            yield PublishedFile(name, f"{objects}/{entry.md5}", entry.md5, size)
            return
        for each in store.listing(entry.md5)[: _MOST_FILES + 1]:
            size = store.path(each.md5).stat().st_size if store.has(each.md5) else 0
            yield PublishedFile(each.relpath, f"{objects}/{each.md5}", each.md5, size)
    elif entry.git is not None:
        yield from _in_git(hub, project, address, listed, commit)


def _in_git(hub: Hub, project: str, address: str, listed: Listed, commit: str) -> Iterator[PublishedFile]:
    entry, repository = listed.entry, hub.repository(project)
    _, output, _ = attempt(repository, "ls-tree", "-r", "-z", "--full-tree", commit, "--", entry.path)
    rows = [line.partition("\t") for line in output.decode("utf-8", "replace").split("\0")[:-1]]
    blobs = [(about.split()[2], path) for about, _, path in rows if about.split()[1] == "blob"]
    blobs = blobs[: _MOST_FILES + 1]
    contents = read_many(repository, [oid for oid, _ in blobs])
    for (_, path), content in zip(blobs, contents, strict=True):
        if content is not None:
            raw = f"{address}/p/{quote(project, safe='')}/files/{quote(path)}?at={commit}&raw=true"
            name = posixpath.relpath(path, entry.path) if entry.is_folder else posixpath.basename(path)
            yield PublishedFile(name, raw, md5_of(content.content), len(content.content))
