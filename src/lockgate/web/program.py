"""A program beside the event loop, which reads and writes its three streams as they are ready.

As asyncio's own subprocess, but for three things. The start: that of uvloop copies this process's tables of
memory first (fork), which takes longer than git does for a small push; `posix_spawn` borrows the memory. What
is passed on: `subprocess` leaves a descriptor its number, and a shell knows those of one digit only. And the
ends of the pipes: uvloop's `connect_read_pipe` closes the number of a descriptor twice, the second time
perhaps that of one which a thread has opened since (MagicStack/uvloop issue 763). Here each is closed once.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import Mapping
from io import FileIO

_LONGEST_NAP_S = 0.05


class Program:
    """One that runs, in a process group of its own."""

    def __init__(self, pid: int, stdin: FileIO, stdout: FileIO, stderr: FileIO, limit: int) -> None:
        self._pid = pid
        self._code: int | None = None
        self.stdin = _Inlet(stdin)
        self._outlets = [_Outlet(pipe, limit) for pipe in (stdout, stderr)]
        self.stdout, self.stderr = (outlet.reader for outlet in self._outlets)

    async def is_over(self, within_s: float) -> bool:
        """Wait for its end so long; return whether it came."""
        deadline, nap = time.monotonic() + within_s, 0.001
        while not self._has_ended():
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP_S)
        return True

    def _has_ended(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is not None

    async def is_well(self) -> bool:
        """Wait for its end; return whether it ended with exit code 0."""
        await self.is_over(math.inf)
        return self._code == 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to all it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)

    def close(self) -> None:
        """Let go of its streams."""
        self.stdin.close()
        for outlet in self._outlets:
            outlet.close()


def start(
    words: tuple[str, ...], environment: Mapping[str, str], limit: int, passed: tuple[int, int] | None = None
) -> Program:
    """Start a program; `limit` is how many bytes of each of its outputs are held.

    `passed`: one more descriptor that it has, and the number above 2 that it knows it by. Raises `OSError`.
    """
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        stdin, stdin_end = _pipe(theirs, ours)
        stdout_end, stdout = _pipe(ours, theirs)
        stderr_end, stderr = _pipe(ours, theirs)
        # The numbers 0 to 2 are taken in this process: none of these is overwritten before it is given
        given = [(stdin.fileno(), 0), (stdout.fileno(), 1), (stderr.fileno(), 2)]
        given += [passed] if passed is not None else []
        actions = [(os.POSIX_SPAWN_DUP2, mine, number) for mine, number in given]
        pid = os.posix_spawnp(words[0], words, environment, file_actions=actions, setpgroup=0)
        ours.pop_all()
    return Program(pid, stdin_end, stdout_end, stderr_end, limit)


def _pipe(reading: contextlib.ExitStack, writing: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    """Return the two ends of a pipe, each to be closed with a stack."""
    reader, writer = os.pipe()
    return reading.enter_context(FileIO(reader)), writing.enter_context(FileIO(writer, "w"))


class _Inlet:
    """Where a program reads from."""

    def __init__(self, pipe: FileIO) -> None:
        self._pipe = pipe
        os.set_blocking(pipe.fileno(), False)

    async def write(self, data: bytes) -> None:
        """Return once it has taken all of that. Raises `BrokenPipeError`: it reads no more."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._pipe.fileno(), left) :]
            except BlockingIOError:
                await self._readiness()

    async def _readiness(self) -> None:
        loop = asyncio.get_running_loop()
        is_ready = loop.create_future()
        number = self._pipe.fileno()
        loop.add_writer(number, _settle, is_ready)
        try:
            await is_ready
        finally:
            loop.remove_writer(number)

    def close(self) -> None:
        """Have it find the end; nobody writes then."""
        self._pipe.close()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class _Outlet(asyncio.ReadTransport):
    """Where a program writes to; `reader` says when it has enough, and when it wants more."""

    def __init__(self, pipe: FileIO, limit: int) -> None:
        super().__init__()
        self._pipe = pipe
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(limit=limit)
        self.reader.set_transport(self)
        os.set_blocking(pipe.fileno(), False)
        self.resume_reading()

    def pause_reading(self) -> None:
        """Leave what comes where it is."""
        self._loop.remove_reader(self._pipe.fileno())

    def resume_reading(self) -> None:
        """Take what comes."""
        if not self._pipe.closed:
            self._loop.add_reader(self._pipe.fileno(), self._take)

    def _take(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), self._limit)
        except BlockingIOError:
            return
        if data:
            self.reader.feed_data(data)
        else:
            self.close()

    def close(self) -> None:
        """Let go of it; the reader finds the end."""
        if not self._pipe.closed:
            self.pause_reading()
            self._pipe.close()
            self.reader.feed_eof()
