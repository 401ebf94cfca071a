"""What everything that runs on a hub is built from, opened once."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.activity.key import Key, load_key
from lockgate.backends.contract import Backend
from lockgate.backends.registry import load_backend
from lockgate.data.store import Store
from lockgate.git.objects import Repository
from lockgate.hub.directory import Hub
from lockgate.hub.index import Index
from lockgate.hub.runtimes import Runtimes


class Wiring:
    """One hub's parts, for one thread."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.index = Index(hub.index)
        self.runtimes = Runtimes(hub.runtimes)
        self.store = Store(hub.store)
        self.key: Key = load_key(hub.key)
        self._repositories: dict[str, Repository] = {}
        self._backends: dict[str, Backend] = {}

    def repository(self, project: str) -> Repository:
        if project not in self._repositories:
            self._repositories[project] = Repository(self.hub.repository(project))
        return self._repositories[project]

    def backend(self, name: str) -> Backend:
        """Return a backend, loaded at first use. Raises `UserError` (`backend-unknown`)."""
        if name not in self._backends:
            self._backends[name] = load_backend(name)
        return self._backends[name]

    @property
    def backends(self) -> Mapping[str, Backend]:
        """Those in use so far."""
        return self._backends
