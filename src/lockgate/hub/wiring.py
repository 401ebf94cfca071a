"""What everything that runs on a hub is built from, opened once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import msgspec

from lockgate.activity.key import Key, load_key
from lockgate.backends.contract import Backend
from lockgate.backends.registry import load_backend
from lockgate.data.store import Store
from lockgate.git.objects import Repository
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.isolation import build_isolation
from lockgate.hub.software.runtimes import Runtimes
from lockgate.project.described import is_described


class Wiring:
    """One hub's parts, for one thread."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.index = Index(hub.index)
        self.runtimes = Runtimes(hub.runtimes, isolation=partial(build_isolation, hub))
        self.store = Store(hub.store)
        self.key: Key = load_key(hub.key)
        self._repositories: dict[str, Repository] = {}
        self._backends: dict[str, Backend] = {}

    def repository(self, project: str) -> Repository:
        if project not in self._repositories:
            self._repositories[project] = Repository(self.hub.repository(project))
        return self._repositories[project]

    def backend(self, name: str, table: Mapping[str, object]) -> Backend:
        """Return a backend, made at first use: as the table `[batch.NAME]` describes it where it describes
        one, else as installed. Raises `UserError` (`backend-unknown`), `OutsideError` (`backend-broken`)."""
        is_own = is_described(table)
        key = f"{name} {msgspec.json.encode(table, order='sorted').decode()}" if is_own else name
        if key not in self._backends:
            self._backends[key] = _described(name, table) if is_own else load_backend(name)
        return self._backends[key]

    @property
    def backends(self) -> Mapping[str, Backend]:
        """Those in use so far; a described one goes by its name and its table."""
        return self._backends


def _described(name: str, table: Mapping[str, object]) -> Backend:
    from lockgate.backends.described.system import backend  # noqa: PLC0415  (few hubs have one)

    return backend(name, table)
