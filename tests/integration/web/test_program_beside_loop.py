"""A program beside the event loop that serves, which is uvloop's: what it is given and says passes whole, and
nothing of its ends is anybody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from lockgate.web.program import Program, start

_LIMIT = 1 << 16
_T = TypeVar("_T")


def _run(story: Coroutine[Any, Any, _T]) -> _T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(asyncio.wait_for(story, 60))


def _shell(text: str) -> Program:
    return start(("sh", "-c", text), os.environ, _LIMIT)


def test_more_than_a_pipe_holds_passes_through_while_nobody_waits() -> None:
    sent = os.urandom(5_000_000)

    async def story() -> bytes:
        program = _shell("cat")

        async def feed() -> None:
            for begin in range(0, len(sent), 1_000_000):
                await program.stdin.write(sent[begin : begin + 1_000_000])
            program.stdin.close()

        feeding = asyncio.create_task(feed())
        got = b""
        while piece := await program.stdout.read(_LIMIT):
            got += piece
            await asyncio.sleep(0)
        await feeding
        assert await program.is_well()
        program.close()
        return got

    assert _run(story()) == sent


def test_what_nobody_reads_holds_the_program_up() -> None:
    async def story() -> int:
        program = _shell("head -c 50000000 /dev/zero")
        assert not await program.is_over(0.3)
        held = len(await program.stdout.read(50_000_000))
        program.send(signal.SIGKILL)
        assert await program.is_over(10)
        program.close()
        return held

    assert _run(story()) < 10 * _LIMIT


def test_a_program_that_reads_no_more_breaks_the_pipe_and_what_it_said_is_there() -> None:
    async def story() -> tuple[bytes, bytes]:
        program = _shell("exec 0</dev/null; echo out; echo why >&2; exit 3")
        with pytest.raises(BrokenPipeError):
            while True:
                await program.stdin.write(bytes(_LIMIT))
        assert not await program.is_well()
        said = await program.stdout.read(_LIMIT), await program.stderr.read(_LIMIT)
        program.close()
        return said

    assert _run(story()) == (b"out\n", b"why\n")


def test_a_writer_that_is_given_up_lets_go() -> None:
    async def story() -> None:
        program = _shell("sleep 60")
        writing = asyncio.create_task(program.stdin.write(bytes(1_000_000)))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        program.send(signal.SIGKILL)
        program.close()
        assert await program.is_over(10)

    _run(story())


def test_a_descriptor_that_a_thread_opens_meanwhile_stays_open(tmp_path: Path) -> None:
    is_over = threading.Event()
    faults: list[OSError] = []

    def open_files(name: str) -> None:
        while not is_over.is_set():
            try:
                (tmp_path / name).write_bytes(b"1")
                assert (tmp_path / name).read_bytes() == b"1"
            except OSError as error:
                faults.append(error)

    async def story() -> None:
        for _ in range(300):
            programs = [_shell("cat") for _ in range(4)]
            for program in programs:
                program.stdin.close()
            for program in programs:
                assert await program.stdout.read(_LIMIT) == b""
                assert await program.is_well()
                program.close()

    threads = [threading.Thread(target=open_files, args=(f"{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        _run(story())
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not faults
