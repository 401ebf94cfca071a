"""What one stage prints, read once while it is written and handed to all who watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.showing.logs import logs_of, read_part
from lockgate.web.channel import BEAT, HEARTBEAT_S, Channel, Welcome, frame

_LOOK_S = 0.2
_PIECE_BYTES = 1 << 16
_KEPT = 64


class LogPiece(msgspec.Struct, frozen=True):
    """Some of what a stage printed, from byte `offset` up to `next`."""

    stage: str
    offset: int
    next: int
    text: str


class _Part(msgspec.Struct, frozen=True):
    start: int
    end: int
    frame: bytes


class Tails:
    """The tails of all stages that somebody watches."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tails: dict[tuple[str, str], Tail] = {}

    def open(self, project: str, run: str, stage: str) -> Tail:
        """Return the tail of a stage; the first watcher has it begun."""
        found = self._tails.get((run, stage))
        if found is None or found.channel.is_over:
            found = Tail(self._hub, project, run, stage)
            self._tails[run, stage] = found
            found.task = asyncio.create_task(self._follow(found))
        return found

    def close(self) -> None:
        for tail in self._tails.values():
            tail.channel.finish()

    async def _follow(self, tail: Tail) -> None:
        try:
            await tail.follow()
        finally:
            tail.channel.finish()
            if self._tails.get((tail.run, tail.stage)) is tail:
                del self._tails[tail.run, tail.stage]


class Tail:
    """The end of one stage's output. It follows as long as somebody watches and the run goes on."""

    task: asyncio.Task[None]

    def __init__(self, hub: Hub, project: str, run: str, stage: str) -> None:
        self.run = run
        self.stage = stage
        self.channel: Channel[_Part] = Channel(_KEPT)
        self.watchers = 0
        self._hub = hub
        self._folder = hub.run_folder(project, run) / "jobs"
        self._end: int | None = None

    async def follow(self) -> None:
        """Read what comes until the run has ended, or nobody has watched for a while."""
        self._end = (await asyncio.to_thread(self._read, 0, 0))[1]
        unwatched_s = 0.0
        while not self.channel.is_over and unwatched_s < HEARTBEAT_S:
            # Asked before reading: what was printed until then is read in any case
            is_over = await asyncio.to_thread(self._is_over)
            while content := (await asyncio.to_thread(self._read, self._end, _PIECE_BYTES))[0]:
                part = self._part(self._end, content)
                self._end = part.end
                self.channel.put([part])
            if is_over:
                return
            unwatched_s = 0.0 if self.watchers else unwatched_s + _LOOK_S
            await asyncio.sleep(_LOOK_S)

    async def listen(self, offset: int, is_welcome: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Yield frames from a byte on: what is past from the file, what comes as it comes."""
        welcome = Welcome(is_welcome)
        self.watchers += 1
        try:
            while self._end is None and not self.channel.is_over:
                await asyncio.sleep(_LOOK_S / 10)
            offset = min(max(0, offset), self._end or 0)
            while not await welcome.is_over():
                parts = [part for part in self.channel.after(0) if part.start >= offset]
                until = parts[0].start if parts else self._end or 0
                if parts and until == offset:
                    yield b"".join(part.frame for part in parts)
                    offset = parts[-1].end
                elif offset < until:
                    content, _ = await asyncio.to_thread(
                        self._read, offset, min(_PIECE_BYTES, until - offset)
                    )
                    part = self._part(offset, content)
                    if content:
                        yield part.frame
                    offset = part.end if content else until
                elif self.channel.is_over:
                    yield frame("end", b"{}")
                    return
                elif not await self.channel.wait(HEARTBEAT_S):
                    yield BEAT
        finally:
            self.watchers -= 1

    def _read(self, offset: int, limit: int) -> tuple[bytes, int]:
        return read_part(logs_of(self._folder, self.stage), offset, limit)

    def _is_over(self) -> bool:
        index = Index(self._hub.index, is_read_only=True)
        try:
            row = index.run(self.run)
        finally:
            index.close()
        return row is None or row.ended_at is not None

    def _part(self, start: int, content: bytes) -> _Part:
        content = whole_characters(content)
        end = start + len(content)
        piece = LogPiece(self.stage, start, end, content.decode("utf-8", "replace"))
        return _Part(start, end, frame("log", msgspec.json.encode(piece), str(end)))


def whole_characters(content: bytes) -> bytes:
    """Return what of the bytes ends with a whole character of UTF-8; all where that would be nothing."""
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        return content[:-back] or content if byte >= 0xC0 and length > back else content
    return content
