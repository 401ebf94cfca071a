"""Tools that run: each started once, in its project's folder, ended with all its children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lockgate.errors import OutsideError, UserError

HOST = "127.0.0.1"
#: A large program on a busy machine; the page waits meanwhile.
_START_S = 60.0
_LOOK_S = 0.05
#: Whoever does not end by then is killed.
_END_S = 3.0
_TAIL = 2_000


@dataclass(frozen=True)
class Wanted:
    """What is to run. `words` is the command for a port."""

    project: Path
    name: str
    digest: str
    words: Callable[[int], Sequence[str]]


@dataclass(eq=False)
class _Running:
    digest: str
    port: int
    process: asyncio.subprocess.Process
    reading: asyncio.Task[None]
    ending: asyncio.Task[None]


class RunningTools:
    """Those of one server."""

    def __init__(self) -> None:
        self._listening: dict[tuple[Path, str], _Running] = {}
        self._alive: set[_Running] = set()
        """Those that do not listen yet too."""
        self._turns: dict[tuple[Path, str], asyncio.Lock] = {}

    async def port_of(self, wanted: Wanted) -> int:
        """Return where a tool listens; it is started if need be, and another command of its name ended.

        Raises `UserError` (`tool-absent`); `OutsideError` (`tool-failed`).
        """
        key = (wanted.project, wanted.name)
        async with self._turns.setdefault(key, asyncio.Lock()):
            running = self._listening.get(key)
            if running is not None:
                if running.digest == wanted.digest and running.process.returncode is None:
                    return running.port
                del self._listening[key]
                await self._end(running)
            started = await self._start(wanted)
            self._listening[key] = started
            return started.port

    async def close(self) -> None:
        """End all."""
        await asyncio.gather(*map(self._end, self._alive))

    async def _start(self, wanted: Wanted) -> _Running:
        port = _free_port()
        program, *words = wanted.words(port)
        try:
            process = await asyncio.create_subprocess_exec(
                _found(program, wanted),
                *words,
                cwd=wanted.project,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise _failed(wanted, f"cannot be started: {error.strerror or error}", "") from None
        tail = bytearray()
        reading, ending = (asyncio.create_task(each) for each in (_read(process, tail), _reap(process)))
        running = _Running(wanted.digest, port, process, reading, ending)
        self._alive.add(running)
        try:
            await _wait(wanted, running, tail)
        except BaseException:
            await self._end(running)
            raise
        return running

    async def _end(self, running: _Running) -> None:
        if running.process.returncode is None:
            _signal(running.process, signal.SIGTERM)
            await asyncio.wait([running.ending], timeout=_END_S)
        if running.process.returncode is None:
            _signal(running.process, signal.SIGKILL)
        await running.ending
        running.reading.cancel()
        self._alive.discard(running)


async def _wait(wanted: Wanted, running: _Running, tail: bytearray) -> None:
    """Wait until it listens."""
    end = time.monotonic() + _START_S
    while not await _listens(running.port) or running.process.returncode is not None:
        if running.process.returncode is not None:
            await asyncio.wait([running.reading], timeout=1.0)
            raise _failed(wanted, f"ended with exit code {running.process.returncode}", _words(tail))
        if time.monotonic() > end:
            raise _failed(wanted, f"does not listen on its port after {_START_S:.0f} s", _words(tail))
        await asyncio.sleep(_LOOK_S)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def _read(process: asyncio.subprocess.Process, tail: bytearray) -> None:
    """Keep the last of what it prints: a full pipe would hold it up."""
    assert process.stdout is not None
    while chunk := await process.stdout.read(1 << 16):
        tail += chunk
        del tail[:-_TAIL]


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Wait for its end and end its children, at once: later the number of their group may be another's."""
    await process.wait()
    _signal(process, signal.SIGKILL)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _found(program: str, wanted: Wanted) -> str:
    """Return a program of the project, or of the server's PATH."""
    own = str(wanted.project / program) if "/" in program else program
    found = shutil.which(own)
    if found is None:
        raise UserError(
            f"the program of the tool {wanted.name} is not installed here: {program}",
            "Install it where the Jupyter server finds programs, or correct the command in lockgate.toml.",
            code="tool-absent",
        )
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port


def _words(tail: bytearray) -> str:
    return tail.decode("utf-8", "replace").strip()


def _failed(wanted: Wanted, how: str, printed: str) -> OutsideError:
    hint = (
        f"It printed last: {printed}"
        if printed
        else "Try its command in a terminal, in the project's folder."
    )
    return OutsideError(f"the tool {wanted.name} {how}", hint, code="tool-failed")
