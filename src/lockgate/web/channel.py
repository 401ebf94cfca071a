"""What is told to any number of listeners: encoded once, handed to each when it is ready for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from lockgate.errors import LockgateError

#: A connection that nothing comes over is taken for broken by proxies. Whether a listener may still hear is
#: asked as often, whatever comes.
HEARTBEAT_S = 5.0
BEAT = b": \n\n"

_T = TypeVar("_T")


class Channel(Generic[_T]):
    """Entries in order. `first` is the number of the oldest one kept, `end` that of the next to come."""

    def __init__(self, keep: int | None = None) -> None:
        self.first = 0
        self.is_over = False
        self._keep = keep
        self._entries: list[_T] = []
        self._news = asyncio.Event()

    @property
    def end(self) -> int:
        return self.first + len(self._entries)

    def put(self, entries: list[_T]) -> None:
        """Tell these; the oldest are forgotten where there are too many."""
        if not entries:
            return
        self._entries += entries
        if self._keep is not None and len(self._entries) > 2 * self._keep:
            cut = len(self._entries) - self._keep
            del self._entries[:cut]
            self.first += cut
        self._wake()

    def finish(self) -> None:
        """Nothing follows: let the listeners go when they have heard all."""
        self.is_over = True
        self._wake()

    def after(self, position: int) -> list[_T]:
        """Return what is kept from a number on."""
        return self._entries[max(0, position - self.first) :]

    async def wait(self, timeout_s: float) -> bool:
        """Wait for news; return whether there are any."""
        news = self._news
        try:
            await asyncio.wait_for(news.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def frame(event: str, data: bytes, id_: str | None = None) -> bytes:
    """Return one server-sent event (HTML standard, section 9.2); `data` is one line."""
    head = f"id: {id_}\nevent: {event}\ndata: " if id_ is not None else f"event: {event}\ndata: "
    return head.encode() + data + b"\n\n"


class Welcome:
    """Whether a listener may still hear; `ask` is called in a thread, from time to time."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self._asked_at = time.monotonic()

    async def is_over(self) -> bool:
        """Return True once they may not any more, or it cannot be known."""
        if time.monotonic() - self._asked_at < HEARTBEAT_S:
            return False
        self._asked_at = time.monotonic()
        try:
            return not await asyncio.to_thread(self._ask)
        except LockgateError:
            return True


async def listen(
    channel: Channel[_T], position: int, show: Callable[[list[_T]], bytes], is_welcome: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield what is told from a number on, until it is over or the listener may not hear it any more."""
    welcome = Welcome(is_welcome)
    while not await welcome.is_over():
        heard = channel.after(position)
        position = channel.end
        if heard:
            shown = show(heard)
            if shown:
                yield shown
        elif channel.is_over:
            return
        elif not await channel.wait(HEARTBEAT_S):
            yield BEAT
