"""Bringing data to the hub and back: only what the other side lacks, and on from where it broke off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from lockgate.data.digest import parse_listing
from lockgate.data.store import Store
from lockgate.errors import OutsideError, UserError
from lockgate.hub.exchanging.exchange import Exchange, lacking_of
from lockgate.hub.supplying.object_stream import Piece, Taker, part_bytes
from lockgate.project.quantities import counted, size_words

#: So many streams at a time, each with this much at least.
STREAMS = 4
_STREAM_BYTES, _STREAM_OBJECTS = 32_000_000, 2000
#: Objects to be fetched have unknown sizes: so many make one more stream worth its connection.
_STREAM_LEAST = 8
#: A stream that breaks off is gone on with so often, after so long.
_ATTEMPTS, _PAUSE_S = 4, 1.0


class Carried(msgspec.Struct, frozen=True):
    """What was sent or fetched, and what neither side has."""

    count: int = 0
    size_bytes: int = 0
    absent: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What was sent, for a reader."""
        return f"sent to the hub: {counted(self.count, 'object')}, {size_words(self.size_bytes)}"


def expand(store: Store, digests: Iterable[str]) -> list[str]:
    """Return these objects, and the files of those that are folders as far as their listings are here.

    Files come before the folder they are in: a folder on the hub is one that is whole there.
    """
    found: dict[str, None] = {}
    for md5 in digests:
        if md5.endswith(".dir") and store.has(md5):
            found.update((each.md5, None) for each in parse_listing(store.read(md5)))
        found[md5] = None
    return list(found)


def send_objects(store: Store, exchange: Exchange, digests: Sequence[str]) -> Carried:
    """Send what the hub lacks of these and the store has; `absent`: what both lack."""
    count = size = 0
    for attempt in range(_ATTEMPTS):
        lacking = lacking_of(exchange, expand(store, digests))
        pieces = [_piece(store, md5, offset) for md5, offset in lacking.items()]
        here = [piece for piece in pieces if piece.path is not None]
        absent = tuple(piece.md5 for piece in pieces if piece.path is None)
        if attempt == 0:
            count, size = len(here), sum(piece.size_bytes for piece in here)
        try:
            _in_streams(here, exchange.send)
        except OutsideError as error:
            if not error.is_transient or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE_S)
            continue
        break
    return Carried(count, size, absent)


def fetch_objects(
    exchange: Exchange,
    parts: Path,
    digests: Sequence[str],
    accept: Callable[[str, Path], None],
    came: Callable[[int], None] = lambda _: None,
) -> Carried:
    """Fetch objects; each that came whole and right is given to `accept`; `came` hears of bytes as they come.

    What came before a break is kept in `parts`. What the hub has with other bytes than its name says is left
    out, and raised as `UserError` (`data-damaged`) when the others have come.
    """
    done: dict[str, int] = {}
    absent: set[str] = set()
    damaged: dict[str, UserError] = {}
    breaks = 0

    def keep(md5: str, file: Path) -> None:
        done[md5] = file.stat().st_size
        accept(md5, file)

    while True:
        wanted = {
            md5: part_bytes(parts, md5)
            for md5 in dict.fromkeys(digests)
            if md5 not in done and md5 not in absent and md5 not in damaged
        }
        if not wanted:
            break
        taker = Taker(parts, keep)
        try:
            for chunk in exchange.give(wanted):
                came(len(chunk))
                taker.feed(chunk)
            taker.finish()
        except OutsideError as error:
            taker.close()
            breaks += 1
            if not error.is_transient or breaks == _ATTEMPTS:
                raise
            time.sleep(_PAUSE_S)
        except UserError as error:
            taker.close()
            if taker.damaged is None:
                raise
            # What an earlier call left may be what is wrong: that one is begun anew
            if not wanted[taker.damaged]:
                damaged[taker.damaged] = error
        else:
            break
        finally:
            absent.update(taker.absent)
    for damage in damaged.values():
        raise damage
    return Carried(len(done), sum(done.values()), tuple(sorted(absent)))


def fetch_in_streams(
    exchange: Exchange,
    parts: Path,
    digests: Sequence[str],
    accept: Callable[[str, Path], None],
    came: Callable[[int], None] = lambda _: None,
) -> Carried:
    """As `fetch_objects`, in several streams at a time where there are many: it is called back from threads.

    Every stream comes to its end before what one of them raised is told.
    """
    asked = list(dict.fromkeys(digests))
    count = max(1, min(STREAMS, len(asked) // _STREAM_LEAST))
    if count == 1:
        return fetch_objects(exchange, parts, asked, accept, came)
    with ThreadPoolExecutor(count) as pool:
        outcomes = [
            pool.submit(fetch_objects, exchange, parts, asked[number::count], accept, came)
            for number in range(count)
        ]
    carried = [outcome.result() for outcome in outcomes]
    return Carried(
        sum(each.count for each in carried),
        sum(each.size_bytes for each in carried),
        tuple(sorted(md5 for each in carried for md5 in each.absent)),
    )


def _piece(store: Store, md5: str, offset: int) -> Piece:
    path = store.path(md5)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return Piece(md5, None)
    return Piece(md5, path, size, offset if offset <= size else 0)


def _in_streams(pieces: Sequence[Piece], send: Callable[[Sequence[Piece]], None]) -> None:
    if not pieces:
        return
    # Folders last: one that is there is whole
    files = [piece for piece in pieces if not piece.md5.endswith(".dir")]
    folders = [piece for piece in pieces if piece.md5.endswith(".dir")]
    total = sum(piece.size_bytes for piece in files)
    count = min(STREAMS, max(1, total // _STREAM_BYTES, len(files) // _STREAM_OBJECTS), max(1, len(files)))
    if count == 1:
        send([*files, *folders])
        return
    portions = _portions(files, count)
    with ThreadPoolExecutor(count) as pool:
        # Every stream comes to its end before an error of one is told
        outcomes = [pool.submit(send, portion) for portion in portions]
    for outcome in outcomes:
        outcome.result()
    if folders:
        send(folders)


def _portions(pieces: Sequence[Piece], count: int) -> list[list[Piece]]:
    """Share objects out so that all streams have about the same to do."""
    portions: list[list[Piece]] = [[] for _ in range(count)]
    loads = dict.fromkeys(range(count), 0)
    for piece in sorted(pieces, key=lambda each: each.size_bytes, reverse=True):
        least = min(loads, key=lambda number: loads[number])
        portions[least].append(piece)
        loads[least] += piece.size_bytes - piece.offset + 4096
    return [portion for portion in portions if portion]
