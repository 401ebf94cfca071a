"""The process that does the hooks of a hub that is served.

`python -I -m lockgate.hub.pushing.hookserver HUB`. It has imported what a push needs, and forks for each hook
that `lockgate.hub.hook` hands it. With the descriptors, environment and working directory of that one, the
copy is the hook as if git had started it. The server has nothing open but its socket, does nothing that could
fail, and ends when its standard input does. One that was ended otherwise, as by the kernel for want of
memory, is started again by the process it serves.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lockgate.hub.directory import Hub
from lockgate.hub.hook import DESCRIPTORS, SOCKET, TAKEN
from lockgate.hub.pushing import receive

#: What a hook imports only where it has to: all of it is there before the first push.
_FOR_HOOKS = (
    "lockgate.backends.registry",
    "lockgate.hub.pushing.entitlement",
    "lockgate.hub.running.follow",
    "lockgate.hub.pushing.forecasting",
    "lockgate.hub.isolation",
    "lockgate.hub.pushing.large_blobs",
    "lockgate.hub.planning.preparation",
    "lockgate.hub.pushing.pushed_imports",
    "lockgate.hub.pushing.receipt",
    "lockgate.hub.software.runtimes",
    "lockgate.project.described",
)
#: So many new objects a copy makes before any are looked through: few make as many before they end.
_YOUNG = 50_000
#: Pushes that may wait to be taken.
_BACKLOG = 1024
_REQUEST_BYTES = 1 << 24
_REAP_S = 1.0
#: So long after its end a server is started again; after each one that does not last twice as long.
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0

log = logging.getLogger(__name__)


class HookServer:
    """The server as the process sees it that it serves; a thread starts it again where it has to."""

    def __init__(self, hub: Hub) -> None:
        self._words = [sys.executable, "-I", "-m", "lockgate.hub.pushing.hookserver", str(hub.root)]
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self.process = self._started()
        """The newest one."""
        self._keeper = threading.Thread(target=self._keep, name="hook-server", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """Let it end when its hooks under way have, and wait for that."""
        with self._lock:
            self._is_closed.set()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        self._keeper.join()

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._words, stdin=subprocess.PIPE)

    def _keep(self) -> None:
        pause = _PAUSE_S
        while True:
            began = time.monotonic()
            code = self.process.wait()
            if code == 0:
                return
            if time.monotonic() - began > _LONGEST_PAUSE_S:
                pause = _PAUSE_S
            if not self._is_closed.wait(pause):
                log.warning(
                    "the hook server ended with %d and is started again",
                    code,
                    extra={"action": "hook-server.again"},
                )
            with self._lock:
                if self._is_closed.is_set():
                    return
                if self.process.stdin is not None:
                    self.process.stdin.close()
                self.process = self._started()
            pause = min(2 * pause, _LONGEST_PAUSE_S)


@contextlib.contextmanager
def hook_server(hub: Hub) -> Iterator[HookServer]:
    """Have a server beside this process, which ends with it; hooks under way are finished."""
    server = HookServer(hub)
    try:
        yield server
    finally:
        server.close()


def main(arguments: list[str]) -> int:
    """Serve hooks until standard input ends."""
    root = Path(arguments[0])
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    for name in _FOR_HOOKS:
        importlib.import_module(name)
    gc.freeze()  # the copies share these pages as long as nobody counts on them
    gc.set_threshold(_YOUNG)
    os.chdir(root)
    with _listening() as listening:
        while True:
            timeout = _REAP_S if _has_children() else None
            readable, _, _ = select.select([0, listening.fileno()], [], [], timeout)
            if 0 in readable and not os.read(0, 1):
                return 0
            if listening.fileno() in readable:
                _take(listening, root)


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket]:
    """Put a socket in the place of that of an earlier server, which goes on with what it has."""
    draft = Path(f"{SOCKET}.{os.getpid()}")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.umask(0o077)
    made.bind(str(draft))
    made.listen(_BACKLOG)
    made.setblocking(False)
    own = draft.stat().st_ino
    draft.replace(SOCKET)
    try:
        yield made
    finally:
        with contextlib.suppress(OSError):
            if Path(SOCKET).stat().st_ino == own:
                Path(SOCKET).unlink()
        made.close()


def _take(listening: socket.socket, root: Path) -> None:
    """Fork for one hook; whoever is not taken does it without us."""
    with contextlib.suppress(OSError):
        connection, _ = listening.accept()
        with connection:
            if os.fork() == 0:
                _be_hook(listening, connection, root)


def _has_children() -> bool:
    """Let go of those that have ended; return whether there are others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _be_hook(listening: socket.socket, connection: socket.socket, root: Path) -> NoReturn:
    """Be the hook and tell the caller its exit code; one that could not be begun the caller does itself."""
    code, is_begun = 1, False
    try:
        listening.close()
        connection.setblocking(True)
        hook, project = _become(connection)
        connection.sendall(TAKEN)
        is_begun = True
        _end_with(connection)
        code = receive.main([hook, str(root), project])
        sys.stdout.flush()
    except SystemExit:
        pass
    except Exception:  # noqa: BLE001  (nothing is above this frame)
        if is_begun:
            traceback.print_exc()
    finally:
        if is_begun:
            with contextlib.suppress(OSError):
                connection.sendall(bytes([code]))
        os._exit(code)


def _become(connection: socket.socket) -> tuple[str, str]:
    """Take the caller's descriptors, environment and working directory; return hook and project."""
    head, descriptors, _, _ = socket.recv_fds(connection, 4, len(DESCRIPTORS))
    length = int.from_bytes(head, "big")
    if len(head) != 4 or len(descriptors) != len(DESCRIPTORS) or length > _REQUEST_BYTES:
        raise EOFError("that is no hook's request")
    request = bytearray()
    while len(request) < length:
        piece = connection.recv(length - len(request))
        if not piece:
            raise EOFError("a hook's request broke off")
        request += piece
    hook, project, folder, *variables = os.fsdecode(bytes(request)).split("\0")[:-1]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(dict(variable.split("=", 1) for variable in variables))
    for given, own in zip(descriptors, DESCRIPTORS, strict=True):
        os.dup2(given, own)
        os.close(given)
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    return hook, project


def _end_with(connection: socket.socket) -> None:
    """End when the caller does, as a hook that git starts ends with its push: SIGIO, see fcntl(2)."""

    def look(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):
            if not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                sys.exit(1)

    signal.signal(signal.SIGIO, look)
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)
    look(signal.SIGIO, None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
