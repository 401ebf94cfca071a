"""A worker's ties to its supervisor: it says when it answers, and ends when the supervisor is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable


class Control:
    """Our end of the channel that `lockgate.hub.operation.supervisor` opens."""

    def __init__(self, fd: int) -> None:
        self._channel = socket.socket(fileno=fd)
        self._channel.setblocking(False)
        self._watch: asyncio.Task[None] | None = None

    def tell_ready(self, where: str) -> None:
        """Say that requests are answered, and under which address or path."""
        self._channel.send(f"ready {where}\n".encode())

    def watch(self, on_orphaned: Callable[[], None]) -> None:
        """Call back once the supervisor has ended; inside a running loop."""

        async def wait() -> None:
            loop = asyncio.get_running_loop()
            try:
                while await loop.sock_recv(self._channel, 64):
                    pass
            except OSError:
                pass
            on_orphaned()

        self._watch = asyncio.get_running_loop().create_task(wait())
