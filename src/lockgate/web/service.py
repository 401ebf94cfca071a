"""What every handler is given: the hub, its settings, and what was opened on it once."""

from __future__ import annotations

from lockgate.hub.directory import Hub
from lockgate.web.settings import Settings


class Service:
    """The service's parts, built once a process."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self.hub = hub
        self.settings = settings

    def url(self, path: str) -> str:
        """Return the address of one of our paths as a browser is to be given it."""
        return self.settings.prefix + path
