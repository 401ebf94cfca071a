"""The bytes of a hub's objects, one after the other, wherever the hub is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from lockgate.data.store import Store
from lockgate.errors import LockgateError, OutsideError
from lockgate.hub.directory import Hub
from lockgate.hub.exchanging.carrying import fetch_objects
from lockgate.hub.exchanging.exchange import Exchange, exchange_with
from lockgate.hub.reaching.address import Address, LocalHub

_PIECE_BYTES = 1 << 20


#: Objects of a hub elsewhere come so many at a time, or until they are this much together.
BATCH_OBJECTS, BATCH_BYTES = 1000, 256_000_000


class Objects(Protocol):
    def expect(self, digests: Iterable[str]) -> None:
        """Say what is read next, in this order: what is far away comes together."""

    def close(self) -> None:
        """Leave nothing lying about."""

    def pieces(self, md5: str) -> Iterator[bytes]:
        """Yield the bytes of an object. Raises `OutsideError`: `store-missing`, `hub-unreachable`."""


class _Near:
    """The store of a hub on this machine."""

    def __init__(self, hub: Hub) -> None:
        self._store = Store(hub.store)

    def expect(self, digests: Iterable[str]) -> None:
        """What is here need not come."""

    def close(self) -> None:
        """Nothing was laid out."""

    def pieces(self, md5: str) -> Iterator[bytes]:
        self._store.require(md5)
        yield from _read(self._store.path(md5))


class _EnoughError(Exception):
    """A batch is as large as it may be; what did not come of it comes with a later one."""


class FarObjects:
    """The store of a hub elsewhere. What came lies in `folder` until it is read, a batch at the most."""

    def __init__(
        self,
        exchange: Exchange,
        folder: Path,
        most_objects: int = BATCH_OBJECTS,
        most_bytes: int = BATCH_BYTES,
    ) -> None:
        self._exchange = exchange
        self._folder = folder
        self._most_objects, self._most_bytes = most_objects, most_bytes
        self._expected: deque[str] = deque()
        self._here: dict[str, Path] = {}
        self._over: set[str] = set()
        """What was read, and what the hub does not have: not to come again unasked."""
        self._batch_bytes = 0

    def expect(self, digests: Iterable[str]) -> None:
        self._expected.extendleft(reversed(list(digests)))

    def pieces(self, md5: str) -> Iterator[bytes]:
        if md5 not in self._here and not self._bring(md5):
            raise OutsideError(
                f"the hub does not have {md5}",
                "Run the stage that makes it again: lockgate run --force STAGE",
                code="store-missing",
            )
        file = self._here.pop(md5)
        self._over.add(md5)
        try:
            yield from _read(file)
        finally:
            file.unlink(missing_ok=True)

    def close(self) -> None:
        for file in self._here.values():
            file.unlink(missing_ok=True)
        self._here.clear()

    def _bring(self, md5: str) -> bool:
        """Fetch an object, and with it what is expected next; return whether the hub has it."""
        batch = self._batch(md5)
        try:
            return self._fetch(batch, md5)
        except LockgateError:
            if md5 in self._here:
                return True
            if len(batch) == 1:
                raise
            # What is wrong with another one is told when that one is read
            return self._fetch([md5], md5)

    def _batch(self, md5: str) -> list[str]:
        batch = {md5: None}
        while self._expected and len(batch) < self._most_objects:
            each = self._expected.popleft()
            if each not in self._here and each not in self._over:
                batch[each] = None
        return list(batch)

    def _fetch(self, batch: Sequence[str], md5: str) -> bool:
        self._batch_bytes = 0
        try:
            self._over.update(fetch_objects(self._exchange, self._folder, batch, self._take).absent)
        except _EnoughError:
            pass
        finally:
            self._expected.extendleft(reversed([each for each in batch if each != md5]))
        return md5 in self._here

    def _take(self, md5: str, file: Path) -> None:
        # Under a name of its own: the next stream may go on with a part of the same name
        whole = self._folder / f"{md5}.whole"
        self._batch_bytes += file.stat().st_size
        file.replace(whole)
        self._here[md5] = whole
        if self._batch_bytes >= self._most_bytes:
            raise _EnoughError


def objects_of(place: Address, folder: Path) -> Objects:
    return _Near(place.hub) if isinstance(place, LocalHub) else FarObjects(exchange_with(place), folder)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
