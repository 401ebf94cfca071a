"""A copy of the hook server that does hooks, one after the other.

For each it takes on the streams, the environment and the working directory of the process that git started,
so that it is that hook; in between it has none of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import stat
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import msgspec

from lockgate.hub import hook_line
from lockgate.hub.directory import HOOKS
from lockgate.hub.hook import DESCRIPTORS, TAKEN
from lockgate.hub.pushing import receive

#: What a worker tells the server when it has nothing to do.
IDLE = b"i"
#: What is passed with a connection.
WORK = b"w"
_REQUEST_BYTES = 1 << 24
#: So many connections a worker serves at most, whatever it has come to hold by then.
_CONNECTIONS = 500
#: A worker that has nothing to do for so long ends.
_PATIENCE_S = 60.0


class _Hook(msgspec.Struct, frozen=True):
    """One hook, as git has started it."""

    name: str
    project: str
    folder: str
    environment: Mapping[str, str]
    streams: Sequence[int]
    """Descriptors of this process that lead where its standard ones do; whoever is the hook closes them."""


def work(connection: socket.socket, server: socket.socket, root: Path) -> NoReturn:
    """Serve this connection, then those that the server hands over; never return."""
    try:
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        log = os.dup(2)
        server.settimeout(_PATIENCE_S)
        for _ in range(_CONNECTIONS):
            with connection:
                connection.setblocking(True)
                _serve(connection, root, log)
            server.sendall(IDLE)
            message, descriptors, _, _ = socket.recv_fds(server, len(WORK), 1)
            if message != WORK:
                break
            connection = socket.socket(fileno=descriptors[0])
    except (OSError, SystemExit):
        pass
    except BaseException:  # noqa: BLE001  (nothing is above this frame)
        traceback.print_exc()
    finally:
        os._exit(0)


def _serve(connection: socket.socket, root: Path, log: int) -> None:
    """Do the hooks that somebody asks for. Raises `OSError` where it breaks off."""
    if connection.recv(1, socket.MSG_PEEK) == b"\0":
        code = _be(_asked_by_client(connection), connection, TAKEN, root, log)
        connection.sendall(bytes([code]))
        return
    while words := _line(connection):
        asked = _asked_by_line(words)
        if asked is None:
            connection.sendall(b"no\n")
            continue
        code = _be(asked, connection, f"{hook_line.TAKEN}\n".encode(), root, log)
        connection.sendall(b"%d\n" % code)


def _line(connection: socket.socket) -> list[str]:
    """Return the words of the next line; none: there is no other."""
    line = b""
    while not line.endswith(b"\n"):
        piece = connection.recv(4096)
        if not piece or len(line) > _REQUEST_BYTES:
            return []
        line += piece
    return os.fsdecode(line).split()


def _asked_by_line(words: Sequence[str]) -> _Hook | None:
    """Find a hook's process, see proc(5); None: it cannot be done from here.

    Its streams are opened anew, which is for pipes alone: a socket cannot be, and a file would be written
    from its beginning.
    """
    streams: list[int] = []
    try:
        name, project, pid = words
        about = Path("/proc") / str(int(pid))
        for number, flags in zip(hook_line.STREAMS, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True):
            stream = about / "fd" / str(number)
            if not stat.S_ISFIFO(stream.stat().st_mode):
                raise ValueError("no pipe")
            streams.append(os.open(stream, flags | os.O_CLOEXEC))
        variables = (about / "environ").read_bytes().split(b"\0")
        folder = str((about / "cwd").readlink())
        if name not in HOOKS:
            raise ValueError("no hook")
    except (OSError, ValueError):
        for stream_number in streams:
            os.close(stream_number)
        return None
    environment = _environment(os.fsdecode(variable) for variable in variables)
    environment.pop(hook_line.VARIABLE, None)
    return _Hook(name, project, folder, environment, streams)


def _asked_by_client(connection: socket.socket) -> _Hook:
    """Take what `lockgate.hub.hook` sends. Raises `OSError`."""
    head, descriptors, _, _ = socket.recv_fds(connection, 4, len(DESCRIPTORS))
    length = int.from_bytes(head, "big")
    if len(head) != 4 or len(descriptors) != len(DESCRIPTORS) or length > _REQUEST_BYTES:
        raise ConnectionError("that is no hook's request")
    request = bytearray()
    while len(request) < length:
        piece = connection.recv(length - len(request))
        if not piece:
            raise ConnectionError("a hook's request broke off")
        request += piece
    name, project, folder, *variables = os.fsdecode(bytes(request)).split("\0")[:-1]
    return _Hook(name, project, folder, _environment(variables), descriptors)


def _environment(variables: Iterable[str]) -> dict[str, str]:
    return dict(variable.split("=", 1) for variable in variables if "=" in variable)


def _be(asked: _Hook, connection: socket.socket, taken: bytes, root: Path, log: int) -> int:
    """Be that hook; return its exit code.

    Raises `OSError` before it is taken, `SystemExit` once nobody waits for it.
    """
    os.chdir(asked.folder)
    os.environ.clear()
    os.environ.update(asked.environment)
    for given, own in zip(asked.streams, DESCRIPTORS, strict=True):
        os.dup2(given, own)
        os.close(given)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, closefd=False, errors="backslashreplace")
        for number, mode in zip(DESCRIPTORS, "rww", strict=True)
    )
    connection.sendall(taken)
    code = 1
    try:
        with _ended_with(connection):
            code = receive.main([asked.name, str(root), asked.project])
    except Exception:  # noqa: BLE001  (nothing is above this frame but the worker)
        traceback.print_exc()
    finally:
        _be_nobody(root, log)
    return code


def _be_nobody(root: Path, log: int) -> None:
    """Let go of a hook's streams, for whose end git waits, and of all else that was its own."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for stream_number, other in zip(DESCRIPTORS, (nothing, nothing, log), strict=True):
        os.dup2(other, stream_number)
    os.close(nothing)
    os.environ.clear()
    os.chdir(root)


@contextlib.contextmanager
def _ended_with(connection: socket.socket) -> Iterator[None]:
    """End when whoever asks does, as a hook that git starts ends with its push: SIGIO, see fcntl(2)."""

    def look(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):
            if not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                sys.exit(1)

    signal.signal(signal.SIGIO, look)
    try:
        fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)
        look(signal.SIGIO, None)
        yield
    finally:
        signal.signal(signal.SIGIO, signal.SIG_IGN)
