"""Hook servers beside Jupyter: a press of Run on a hub that nobody serves is answered as by one that is."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from lockgate.errors import LockgateError
from lockgate.hub.directory import Hub
from lockgate.hub.hook import SOCKET
from lockgate.hub.pushing.hookserver import HookServer
from lockgate.hub.reaching.address import LocalHub, address


class HookServers:
    """One for each hub on this machine that is this person's own; they end with Jupyter."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._servers: dict[Path, HookServer] = {}
        self._is_closed = False

    def stand_by(self, project: Path) -> None:
        """Have one for the hub of a project, unless it is elsewhere, another's, or served already.

        A project without a hub, or with one that is not there, is let be: a push tells what is wrong.
        """
        try:
            place = address(None, None, project)
        except LockgateError:
            return
        if not isinstance(place, LocalHub):
            return
        hub = place.hub
        with self._guard:
            if self._is_closed or hub.root in self._servers or not _is_own(hub) or is_served(hub):
                return
            self._servers[hub.root] = HookServer(hub)

    def close(self) -> None:
        """End them all; hooks under way are finished first."""
        with self._guard:
            self._is_closed = True
            servers = list(self._servers.values())
            self._servers.clear()
        for server in servers:
            server.close()


def is_served(hub: Hub) -> bool:
    """Return whether somebody takes this hub's hooks. Where that cannot be told, as a path is too long for a
    socket's, they are let be."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(hub.root / SOCKET))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            pass
    return True


def _is_own(hub: Hub) -> bool:
    try:
        return hub.root.stat().st_uid == os.getuid()
    except OSError:
        return False
