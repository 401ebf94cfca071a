"""The one who looks: whether the index or a chain has moved, and tells all who listen.

However many listen, there is one look ten times a second, at a number that SQLite keeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from lockgate.activity.chain import REF
from lockgate.errors import LockgateError
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.queue import ensure_dispatcher
from lockgate.hub.running.follow import Followed, Progress
from lockgate.hub.search.journal_intake import Stamp, stamp_of
from lockgate.web.channel import Channel, frame

_LOOK_S = 0.1
_TIPS_S = 0.5
#: Runs that stand still so long get their dispatcher looked after.
_STILL_S = 3.0
_KEPT = 1000

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that is new in a project."""

    kind: str
    """`run`: its state is another one; `activity`: the chain or a journal has grown; `missed`: look at
    everything anew."""
    project: str
    run: str | None = None
    state: str | None = None
    where: str | None = None
    member: str | None = None
    cause: str | None = None


class Told(msgspec.Struct, frozen=True):
    """A frame of a run's stream and the number of the event it tells of."""

    number: int
    frame: bytes


class News:
    """Watches one hub. `moved` is called, in a thread, whenever something has moved."""

    def __init__(self, hub: Hub, moved: Callable[[], object] | None = None) -> None:
        self.hub = hub
        self.moved = moved
        self.boot = os.urandom(4).hex()
        self.items: Channel[tuple[str, bytes]] = Channel(_KEPT)
        self.is_closing = False
        self._runs: dict[str, Channel[Told]] = {}
        self._looker = _Looker(hub)
        self._thread = ThreadPoolExecutor(1, "news")
        self._catching_up: asyncio.Task[None] | None = None
        self._is_behind = False

    async def watch(self) -> None:
        """Look until closed."""
        loop = asyncio.get_running_loop()
        self._catch_up()
        while not self.is_closing:
            try:
                seen = await loop.run_in_executor(self._thread, self._looker.look, tuple(self._runs))
            except LockgateError as error:
                log.warning("the index cannot be watched: %s", error.message)
                await asyncio.sleep(1.0)
                continue
            if seen is not None:
                self._tell(*seen)
            await asyncio.sleep(_LOOK_S)

    def run_channel(self, run: str) -> Channel[Told]:
        """Return the channel of a run, from its beginning; whoever is the first to listen has it opened."""
        return self._runs.setdefault(run, Channel())

    def position_in(self, channel: Channel[Told], last_number: int) -> int:
        """Return where one who has heard an event goes on."""
        return bisect_right(channel.after(0), last_number, key=lambda told: told.number)

    def close(self) -> None:
        """Let everybody who listens go."""
        self.is_closing = True
        self.items.finish()
        for channel in self._runs.values():
            channel.finish()

    def _tell(self, items: list[Item], told: dict[str, list[Told]], over: list[str], has_moved: bool) -> None:
        start = self.items.end
        self.items.put(
            [
                (item.project, frame("news", _encode(item), f"{self.boot}-{start + number}"))
                for number, item in enumerate(items)
            ]
        )
        for run, frames in told.items():
            if run in self._runs:
                self._runs[run].put(frames)
        for run in over:
            channel = self._runs.pop(run, None)
            if channel is not None:
                channel.finish()
        if has_moved:
            self._catch_up()

    def _catch_up(self) -> None:
        """Have `moved` called; what moves while it is at work has it called once more."""
        self._is_behind = True
        if self.moved is not None and (self._catching_up is None or self._catching_up.done()):
            self._catching_up = asyncio.create_task(self._call(self.moved))

    async def _call(self, moved: Callable[[], object]) -> None:
        while self._is_behind and not self.is_closing:
            self._is_behind = False
            try:
                await asyncio.to_thread(moved)
            except LockgateError as error:
                log.warning("the search index lags behind: %s", error.message)


class _Looker:
    """What the looking thread knows; nobody else touches it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._index: Index | None = None
        self._seen = -1
        self._rows: dict[str, tuple[str, str | None]] = {}
        self._open: set[str] = set()
        self._followed: dict[str, Followed] = {}
        self._tips: dict[str, tuple[int, Stamp]] = {}
        self._tips_at = 0.0
        self._moved_at = time.monotonic()
        self._newest: int | None = None

    def look(
        self, wanted: tuple[str, ...]
    ) -> tuple[list[Item], dict[str, list[Told]], list[str], bool] | None:
        """Return what is new since the last look; None: nothing."""
        if self._index is None:
            self._index = Index(self._hub.index)
        now = time.monotonic()
        seen = self._index.changes_seen()
        has_moved, self._seen = seen != self._seen, seen
        items = self._look_at_tips(now)
        told: dict[str, list[Told]] = {}
        over: list[str] = []
        if has_moved:
            self._moved_at = now
            items += self._look_at_runs(self._index)
        elif self._open and now - self._moved_at > _STILL_S:
            self._moved_at = now
            with contextlib.suppress(LockgateError):
                ensure_dispatcher(self._hub)
        for run in wanted:
            if has_moved or run not in self._followed:
                told[run] = list(self._follow(self._index, run, over))
        for run in [run for run in self._followed if run not in wanted or run in over]:
            del self._followed[run]
        if not (items or told or over):
            return None
        return items, told, over, has_moved or bool(items)

    def _look_at_runs(self, index: Index) -> list[Item]:
        rows = {row.request.id: row for row in index.unfinished()}
        for run in self._open - rows.keys():
            row = index.run(run)
            if row is not None:
                rows[run] = row
        newest = index.runs(None, 20)
        if self._newest is not None:  # those that began and ended between two looks
            rows |= {row.request.id: row for row in newest if row.number > self._newest}
        self._newest = max((self._newest or 0, *(row.number for row in newest)))
        items = []
        for run, row in rows.items():
            if self._rows.get(run) != (row.state, row.cause):
                self._rows[run] = (row.state, row.cause)
                items.append(_item(row))
        self._open = {run for run, row in rows.items() if row.ended_at is None}
        for run in [run for run in self._rows if run not in self._open]:
            del self._rows[run]
        return items

    def _look_at_tips(self, now: float) -> list[Item]:
        if now - self._tips_at < _TIPS_S:
            return []
        self._tips_at = now
        is_first = not self._tips
        items = []
        for project in self._hub.projects():
            try:
                tip = (self._hub.repository(project) / REF).stat().st_mtime_ns
            except OSError:
                continue
            stamp = (tip, stamp_of(self._hub.repository(project)))
            if self._tips.get(project) != stamp:
                self._tips[project] = stamp
                if not is_first:
                    items.append(Item("activity", project))
        return items

    def _follow(self, index: Index, run: str, over: list[str]) -> list[Told]:
        followed = self._followed.setdefault(run, Followed(run))
        row = index.run(run)
        told: list[Told] = []
        for sequence, _, event in index.events(run, followed.sequence):
            followed.sequence = sequence
            told += [_told(sequence, progress, "progress") for progress in followed.tell(event)]
        told += [_told(followed.sequence, progress, "progress") for progress in followed.tell_progress(index)]
        if row is None or row.ended_at is not None:
            over.append(run)
            if row is not None:
                told.append(_told(followed.sequence + 1, followed.end(row), "end"))
        return told


def _told(number: int, progress: Progress, event: str) -> Told:
    return Told(number, frame(event, _encode(progress), str(number)))


def _item(row: RunRow) -> Item:
    request = row.request
    where = request.ref.removeprefix("refs/heads/")
    return Item("run", request.project, request.id, row.state, where, request.member, row.cause)
