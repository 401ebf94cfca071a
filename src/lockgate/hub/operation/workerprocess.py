"""One process of the service, as its supervisor sees it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Sequence


class Worker:
    """One worker process, and our end of its control channel."""

    def __init__(self, command: Sequence[str], listening: socket.socket, environment: dict[str, str]) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            fds = (listening.fileno(), theirs.fileno())
            self._process = subprocess.Popen(
                [*command, "--fd", str(fds[0]), "--control-fd", str(fds[1])],
                stdin=subprocess.DEVNULL,
                pass_fds=fds,
                env=environment,
                process_group=0,  # Ctrl-C in a terminal is for us; we tell the workers
            )
        self._channel.setblocking(False)
        self._said = b""
        self.started_at = time.monotonic()
        self.deadline: float | None = None
        """When it is killed, where it was told to drain."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        return self._channel.fileno()

    def ready(self) -> str | None:
        """Return where it serves, once it said that it is ready; "" for the root."""
        with contextlib.suppress(OSError):
            self._said += self._channel.recv(4096)
        if not self._said.startswith(b"ready") or b"\n" not in self._said:
            return None
        return self._said.partition(b"\n")[0].removeprefix(b"ready").strip().decode("utf-8", "replace")

    def ended(self) -> int | None:
        """Return its exit code, negative for a signal, once it has ended."""
        return self._process.poll()

    def drain(self, within_s: float) -> None:
        self.deadline = time.monotonic() + within_s
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self._channel.close()
