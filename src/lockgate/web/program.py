"""A program beside the event loop, its three streams asyncio's.

As asyncio's own subprocess, but for the start: that of uvloop copies this process's tables of memory first
(fork), which takes longer than git does for a small push. `subprocess` borrows the memory (vfork).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import subprocess
import time
from asyncio.streams import FlowControlMixin
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_LONGEST_NAP_S = 0.05


class Program:
    """One that runs, in a session of its own."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stdin: asyncio.StreamWriter,
        stdout: tuple[asyncio.StreamReader, asyncio.BaseTransport],
        stderr: tuple[asyncio.StreamReader, asyncio.BaseTransport],
    ) -> None:
        self._process = process
        self.stdin = stdin
        self.stdout, self.stderr = stdout[0], stderr[0]
        self._transports = (stdin.transport, stdout[1], stderr[1])

    async def is_over(self, within_s: float) -> bool:
        """Wait for its end so long; return whether it came."""
        deadline, nap = time.monotonic() + within_s, 0.001
        while self._process.poll() is None:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP_S)
        return True

    async def is_well(self) -> bool:
        """Wait for its end; return whether it ended with exit code 0."""
        await self.is_over(math.inf)
        return self._process.returncode == 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to all it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def close(self) -> None:
        """Let go of its streams."""
        for transport in self._transports:
            transport.close()


async def start(words: Sequence[str], environment: Mapping[str, str], cwd: Path, limit: int) -> Program:
    """Start a program; `limit` is how many bytes of each of its outputs are held. Raises `OSError`."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=environment,
        cwd=cwd,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    stdout = await _reader(process.stdout, limit)
    stderr = await _reader(process.stderr, limit)
    return Program(process, await _writer(process.stdin), stdout, stderr)


async def _reader(pipe: IO[bytes], limit: int) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader(limit=limit)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader, transport


async def _writer(pipe: IO[bytes]) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(FlowControlMixin, pipe)
    return asyncio.StreamWriter(transport, protocol, None, loop)
