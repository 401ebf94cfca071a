"""The hub's side of data: what it lacks of a project's, taking that in, handing it out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from lockgate.data.store import Store
from lockgate.hub.directory import Hub
from lockgate.hub.room import require_room
from lockgate.hub.supplying.holdings import Holdings
from lockgate.hub.supplying.object_lookup import DIGEST, ProjectObjects
from lockgate.hub.supplying.object_stream import PIECE_BYTES, Piece, Taker, part_bytes, stream

#: After so many objects, or so long, what came is made the project's.
_TOGETHER, _TOGETHER_S = 1000, 1.0


def lacking(hub: Hub, project: str, digests: Sequence[str]) -> dict[str, int]:
    """Return which of these objects a project has not sent or made, each with how many bytes of it came
    before a break.

    What another project sent is lacking too: who does not have the bytes is not told that the hub has.
    """
    objects = ProjectObjects(hub, project)
    parts = hub.incoming / project
    return {
        md5: part_bytes(parts, md5)
        for md5 in dict.fromkeys(digests)
        if DIGEST.fullmatch(md5) and not objects.keep(md5)
    }


class Intake:
    """Takes a stream of objects in for a project. Many may be under way at once."""

    def __init__(self, hub: Hub, project: str, limit_bytes: int = 0) -> None:
        self._store = Store(hub.store)
        self._holdings = Holdings(hub, project)
        self._hub = hub
        self._new: list[str] = []
        self._told_at = time.monotonic()
        self._taker = Taker(hub.incoming / project, self._accept, limit_bytes)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes. Raises as `Taker.feed`, and `OutsideError` (`hub-full`)."""
        require_room(self._hub, len(piece))
        self._taker.feed(piece)

    def finish(self) -> None:
        """End it; what came whole is the project's, also where the stream broke off, which is an error."""
        try:
            self._taker.finish()
        finally:
            self._tell()

    def close(self) -> None:
        """End it where the rest is not wanted; what came is kept."""
        self._taker.close()
        self._tell()

    def _accept(self, md5: str, file: Path) -> None:
        self._store.adopt_new(file, md5)
        self._new.append(md5)
        if len(self._new) >= _TOGETHER or time.monotonic() - self._told_at > _TOGETHER_S:
            self._tell()

    def _tell(self) -> None:
        self._holdings.add(self._new)
        self._new = []
        self._told_at = time.monotonic()


def take_stream(hub: Hub, project: str, source: BinaryIO) -> None:
    """Take a whole stream in. Raises as `Intake`."""
    intake = Intake(hub, project)
    try:
        while piece := source.read(PIECE_BYTES):
            intake.feed(piece)
    except BaseException:
        intake.close()
        raise
    intake.finish()


def give(hub: Hub, project: str, wanted: Mapping[str, int]) -> Iterator[bytes]:
    """Yield the stream of a project's objects, each from the byte given on; what is not its is not there."""
    objects, store = ProjectObjects(hub, project), Store(hub.store)

    def pieces() -> Iterator[Piece]:
        for md5, offset in wanted.items():
            path = store.path(md5) if objects.has(md5) else None
            try:
                size = path.stat().st_size if path is not None else 0
            except FileNotFoundError:
                path, size = None, 0
            yield Piece(md5, path, size, min(offset, size))

    return stream(pieces())
