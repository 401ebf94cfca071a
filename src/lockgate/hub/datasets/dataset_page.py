"""All that is known of one dataset, for its page and the API."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

import msgspec

from lockgate.data.certification import Certification
from lockgate.data.dataset_versions import Version, versions_of
from lockgate.data.profile import Profile
from lockgate.hub.datasets.catalogue import Listed, catalogue
from lockgate.hub.datasets.dataset_checks import DatasetChecks, dataset_checks
from lockgate.hub.datasets.dataset_uses import Uses, uses_of
from lockgate.hub.datasets.importers import Importer, importers_of
from lockgate.hub.datasets.profiles import profile_of
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index

_VERSIONS = 50


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset. `profile` None: its bytes are not on the hub."""

    commit: str
    listed: Listed
    profile: Profile | None
    versions: tuple[Version, ...]
    """The newest, newest first; none of what a stage makes."""
    certifications: tuple[Certification, ...]
    """Newest first."""
    uses: Uses
    checks: DatasetChecks
    importers: tuple[Importer, ...] = ()
    """The other projects that use it."""


def look_up(
    hub: Hub, project: str, path: str, revision: str | None = None, readable: Collection[str] = ()
) -> Found:
    """`readable`: the projects that may be told of.

    Raises `UserError`: `project-unknown`, `revision-unknown`, `data-unknown`."""
    found = catalogue(hub, project, revision)
    listed = found.find(path)
    assert found.commit is not None
    entry = listed.entry
    with contextlib.closing(Index(hub.index, is_read_only=True)) as index:
        said = index.certifications(project, path)
        checks = dataset_checks(hub, index, project, found.commit, path)
    versions = versions_of(hub.repository(project), found.commit, path, entry.pointer, _VERSIONS)
    return Found(
        commit=found.commit,
        listed=listed,
        profile=profile_of(hub, project, entry),
        versions=versions if entry.pointer is not None or not entry.is_made else (),
        certifications=tuple(said),
        uses=uses_of(hub, project, path),
        checks=checks,
        importers=importers_of(hub, project, path, readable),
    )
