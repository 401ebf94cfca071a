"""Which objects of the store a project may be given: the store is one for all projects of a hub."""

from __future__ import annotations

import re
from pathlib import Path

from lockgate.data.digest import parse_listing
from lockgate.data.store import Store
from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.supplying.holdings import Holdings
from lockgate.runs.record import StageRecord

DIGEST = re.compile(r"[0-9a-f]{32}(?:\.dir)?")


class ProjectObjects:
    """What one project may be given: what it sent, and what its stages made. Looked up when first asked for.

    Kept for one piece of work: what comes later is seen by the next one.
    """

    def __init__(self, hub: Hub, project: str) -> None:
        self._hub = hub
        self._project = project
        self._store = Store(hub.store)
        self._held: set[str] | None = None
        self._made: set[str] | None = None

    def has(self, md5: str) -> bool:
        """Return whether the store has the object and the project may be given it."""
        return DIGEST.fullmatch(md5) is not None and self._store.has(md5) and self.is_own(md5)

    def keep(self, md5: str) -> bool:
        """As `has`; the object counts as new from then on, since a commit or a run is about to need it."""
        return DIGEST.fullmatch(md5) is not None and self.is_own(md5) and self._store.keep(md5)

    def is_own(self, md5: str) -> bool:
        """Return whether the project has sent or made it."""
        if self._held is None:
            self._held = Holdings(self._hub, self._project).read()
        return md5 in self._held or md5 in self.made()

    def learn(self, md5: str) -> None:
        """Note that the project has it now."""
        if self._held is not None:
            self._held.add(md5)

    def made(self) -> set[str]:
        """Return the digests of all that the project's stages made, files of folders too."""
        if self._made is None:
            self._made = set()
            if self._hub.index.exists():
                index = Index(self._hub.index, is_read_only=True)
                try:
                    for record in index.results(self._project):
                        for artifact in record.artifacts:
                            self._add(artifact.md5)
                finally:
                    index.close()
        return self._made

    def _add(self, md5: str) -> None:
        assert self._made is not None
        if md5 not in self._made:
            self._made.add(md5)
            if md5.endswith(".dir") and self._store.has(md5):
                self._made.update(each.md5 for each in parse_listing(self._store.read(md5)))


def find_object(hub: Hub, project: str, md5: str) -> Path:
    """Return where the store keeps an object of the project; another project's is not there.

    Raises `UserError` (`artifact-unknown`).
    """
    store = Store(hub.store)
    is_there = DIGEST.fullmatch(md5) and store.has(md5)
    if is_there and (md5 in Holdings(hub, project).read() or _is_made(hub, store, project, md5)):
        return store.path(md5)
    raise UserError(
        f"no run of this project made {md5[:40]}, and nobody sent it",
        "What a run made is listed with it.",
        code="artifact-unknown",
    )


def _is_made(hub: Hub, store: Store, project: str, md5: str) -> bool:
    index = Index(hub.index, is_read_only=True)
    try:
        # A record may name a digest that is none of its artifacts': as a need, or in a parameter
        if any(_is_of(md5, record) for record in index.results_naming(project, md5)):
            return True
        return any(_is_listed(store, record, md5) for record in index.results(project))
    finally:
        index.close()


def _is_of(md5: str, record: StageRecord) -> bool:
    return any(artifact.md5 == md5 for artifact in record.artifacts)


def _is_listed(store: Store, record: StageRecord, md5: str) -> bool:
    """Return whether a folder that the project has made holds it."""
    for artifact in record.artifacts:
        if artifact.md5.endswith(".dir") and store.has(artifact.md5):
            content = store.read(artifact.md5)
            if md5.encode() in content and any(each.md5 == md5 for each in parse_listing(content)):
                return True
    return False
