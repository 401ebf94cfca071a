"""The process that does the hooks of a hub that is served.

`python -I -m lockgate.hub.pushing.hookserver HUB`. It has imported what a push needs, and forks to have a
worker (`lockgate.hub.pushing.hookworker`) for each push that comes while the others are at work; a worker
that is done gets the next. The server has nothing open but sockets, does nothing that could fail, and ends
when its standard input does. One that was ended otherwise, as by the kernel for want of memory, is started
again by the process it serves.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from lockgate.hub.directory import Hub
from lockgate.hub.hook import SOCKET
from lockgate.hub.pushing.hookworker import IDLE, WORK, work

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
#: So many new objects a worker makes before any are looked through.
_YOUNG = 50_000
#: So many workers that have nothing to do are kept.
_KEPT = 8
#: Pushes that may wait to be taken.
_BACKLOG = 1024
_REAP_S = 1.0
_FULL_S = 0.05
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
    gc.freeze()  # the workers share these pages as long as nobody counts on them
    gc.set_threshold(_YOUNG)
    os.chdir(root)
    with _listening() as listening:
        _Server(listening, root).serve()
    return 0


class _Server:
    """Who listens, who has connected and not spoken yet, and who works."""

    def __init__(self, listening: socket.socket, root: Path) -> None:
        self._root = root
        self._listening = listening
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ)
        self._selector.register(listening, selectors.EVENT_READ, self._accept)
        self._workers: dict[socket.socket, int] = {}
        """The process at the other end of each."""
        self._idle: list[socket.socket] = []
        self._ending: list[int] = []

    def serve(self) -> None:
        """Return when standard input ends; workers end when they have done what they do."""
        while True:
            for key, _ in self._selector.select(_REAP_S if self._ending else None):
                if key.data is not None:
                    key.data(key.fileobj)
                elif not os.read(0, 1):
                    return
            self._ending = [pid for pid in self._ending if os.waitpid(pid, os.WNOHANG)[0] == 0]

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except BlockingIOError:
            return
        except OSError:  # there is no descriptor left: whoever comes waits until one is
            time.sleep(_FULL_S)
            return
        self._selector.register(connection, selectors.EVENT_READ, self._hand_over)

    def _hand_over(self, connection: socket.socket) -> None:
        """Give a connection on which somebody speaks to a worker; whoever is not taken does it without us."""
        self._selector.unregister(connection)
        with connection, contextlib.suppress(OSError):
            if not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                return
            while self._idle:
                worker = self._idle.pop()
                with contextlib.suppress(OSError):  # it has just ended
                    socket.send_fds(worker, [WORK], [connection.fileno()])
                    return
            self._fork(connection)

    def _fork(self, connection: socket.socket) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = os.fork()
            if pid == 0:
                self._forget(ours)
                work(connection, theirs, self._root)
        self._workers[ours] = pid
        self._selector.register(ours, selectors.EVENT_READ, self._hear)

    def _forget(self, channel: socket.socket) -> None:
        """Be no server any more: what a worker holds open seems to others to be in use."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        channel.close()

    def _hear(self, worker: socket.socket) -> None:
        """Have a worker that is done wait for more, or go; let go of one that has ended."""
        message = b""
        with contextlib.suppress(OSError):
            message = worker.recv(len(IDLE))
        if message == IDLE and len(self._idle) < _KEPT:
            self._idle.append(worker)
            return
        self._selector.unregister(worker)
        worker.close()
        if worker in self._idle:
            self._idle.remove(worker)
        self._ending.append(self._workers.pop(worker))


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
