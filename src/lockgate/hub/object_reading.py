"""The bytes of a hub's objects, one after the other, wherever the hub is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from lockgate.data.store import Store
from lockgate.errors import OutsideError
from lockgate.hub.address import Address, LocalHub
from lockgate.hub.carrying import fetch_objects
from lockgate.hub.directory import Hub
from lockgate.hub.exchange import exchange_with

_PIECE_BYTES = 1 << 20


class Objects(Protocol):
    def pieces(self, md5: str) -> Iterator[bytes]:
        """Yield the bytes of an object. Raises `OutsideError`: `store-missing`, `hub-unreachable`."""


class _Near:
    """The store of a hub on this machine."""

    def __init__(self, hub: Hub) -> None:
        self._store = Store(hub.store)

    def pieces(self, md5: str) -> Iterator[bytes]:
        self._store.require(md5)
        yield from _read(self._store.path(md5))


class _Far:
    """The store of a hub elsewhere; an object lies in `folder` while it is read."""

    def __init__(self, place: Address, folder: Path) -> None:
        self._exchange = exchange_with(place)
        self._folder = folder

    def pieces(self, md5: str) -> Iterator[bytes]:
        came: list[Path] = []
        carried = fetch_objects(self._exchange, self._folder, [md5], lambda _, file: came.append(file))
        if carried.absent or not came:
            raise OutsideError(
                f"the hub does not have {md5}",
                "Run the stage that makes it again: lockgate run --force STAGE",
                code="store-missing",
            )
        try:
            yield from _read(came[0])
        finally:
            came[0].unlink(missing_ok=True)


def objects_of(place: Address, folder: Path) -> Objects:
    return _Near(place.hub) if isinstance(place, LocalHub) else _Far(place, folder)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
