"""Objects between a store and a remote: in parallel, checked, taken up where a call before broke off."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from io import FileIO
from pathlib import Path

import msgspec

from lockgate.data.digest import parse_listing
from lockgate.data.remotes.contract import Remote
from lockgate.data.store import Store
from lockgate.errors import LockgateError, OutsideError

_PIECE_BYTES = 1 << 20


class Progress(msgspec.Struct, frozen=True):
    """How far a transfer is."""

    done: int
    objects: int
    done_bytes: int
    """Of objects that arrived whole, and of those under way what has come so far."""


class Transferred(msgspec.Struct, frozen=True):
    """What a transfer did."""

    moved: int
    moved_bytes: int
    already: int
    """So many were at the other side before."""


Told = Callable[[Progress], None]


def push(store: Store, remote: Remote, md5s: Iterable[str], told: Told = lambda _: None) -> Transferred:
    """Send objects, with all that the folders among them list, as far as the remote does not have them.

    A folder's listing goes after its files, so that whoever finds the listing finds the files (as DVC does).

    Raises `OutsideError`: `store-missing`, `store-damaged`, those of `Remote`. What could be sent is there.
    """
    files, folders = _unfolded(store, md5s)
    tally = _Tally(told)
    already = 0
    for some in (files, folders):
        there = remote.present(some)
        already += len(there)
        wanted = [md5 for md5 in some if md5 not in there]
        tally.expect(len(wanted))

        def one(md5: str) -> None:
            store.require(md5)
            path = store.path(md5)
            remote.put(md5, path)
            tally.arrived(path.stat().st_size)

        _each(one, wanted, remote.parallel, tally)
    return Transferred(tally.done, tally.done_bytes, already)


def pull(store: Store, remote: Remote, md5s: Iterable[str], told: Told = lambda _: None) -> Transferred:
    """Bring objects into the store, with all that the folders among them list.

    Raises as `bring`.
    """
    wanted = list(dict.fromkeys(md5s))
    folders = [md5 for md5 in wanted if md5.endswith(".dir")]
    tally = _Tally(told)
    already = _bring_all(store, remote, folders, tally)
    listed = [each.md5 for md5 in folders for each in store.listing(md5)]
    files = list(dict.fromkeys([*(md5 for md5 in wanted if not md5.endswith(".dir")), *listed]))
    already += _bring_all(store, remote, files, tally)
    return Transferred(tally.done, tally.done_bytes, already)


def bring(store: Store, remote: Remote, md5s: Iterable[str], told: Told = lambda _: None) -> Transferred:
    """Bring just these objects into the store, as far as they are not there; of a folder its listing alone.

    Raises `OutsideError`: `remote-missing`, `remote-damaged` (bytes that do not have the digest; none of them
    stays), `store-unwritable`, and those of `Remote`. What has come is kept, half objects too: the next call
    goes on from there.
    """
    tally = _Tally(told)
    already = _bring_all(store, remote, list(dict.fromkeys(md5s)), tally)
    return Transferred(tally.done, tally.done_bytes, already)


def _bring_all(store: Store, remote: Remote, md5s: Sequence[str], tally: _Tally) -> int:
    """Bring what is absent; return how many were there."""
    absent = [md5 for md5 in md5s if not store.has(md5)]
    tally.expect(len(absent))
    _each(lambda md5: _bring(store, remote, md5, tally), absent, remote.parallel, tally)
    return len(md5s) - len(absent)


def _unfolded(store: Store, md5s: Iterable[str]) -> tuple[list[str], list[str]]:
    files: dict[str, None] = {}
    folders: dict[str, None] = {}
    for md5 in md5s:
        if md5.endswith(".dir"):
            folders[md5] = None
            files |= dict.fromkeys(each.md5 for each in parse_listing(store.read(md5)))
        else:
            files[md5] = None
    return list(files), list(folders)


class _Tally:
    """Counts from many threads; tells from the one that waits."""

    def __init__(self, told: Told) -> None:
        self.done = 0
        self.objects = 0
        self.done_bytes = 0
        self._told = told
        self._guard = threading.Lock()

    def expect(self, count: int) -> None:
        self.objects += count

    def came(self, size: int) -> None:
        with self._guard:
            self.done_bytes += size

    def arrived(self, size: int = 0) -> None:
        with self._guard:
            self.done += 1
            self.done_bytes += size

    def tell(self) -> None:
        self._told(Progress(self.done, self.objects, self.done_bytes))


def _each(one: Callable[[str], None], md5s: Sequence[str], parallel: int, tally: _Tally) -> None:
    """Do one thing with each object, several at a time; raise the first failure when the others are done.

    After a failure that would meet every object (a remote that is away) no new ones are begun.
    """
    failures: list[LockgateError] = []
    waiting = iter(md5s)
    with ThreadPoolExecutor(max(1, min(parallel, len(md5s)))) as pool:
        under_way: set[Future[None]] = set()
        try:
            while True:
                while len(under_way) < 2 * parallel and not any(map(_is_general, failures)):
                    md5 = next(waiting, None)
                    if md5 is None:
                        break
                    under_way.add(pool.submit(one, md5))
                if not under_way:
                    break
                ended, under_way = wait(under_way, timeout=0.2, return_when=FIRST_COMPLETED)
                for each in ended:
                    failure = each.exception()
                    if isinstance(failure, LockgateError):
                        failures.append(failure)
                    elif failure is not None:
                        raise failure
                tally.tell()
        except BaseException:
            for each in under_way:
                each.cancel()
            raise
    if failures:
        raise _told_together(failures)


def _is_general(failure: LockgateError) -> bool:
    return failure.code not in ("remote-missing", "remote-damaged", "store-missing", "store-damaged")


def _told_together(failures: Sequence[LockgateError]) -> LockgateError:
    first = next(filter(_is_general, failures), failures[0])
    others = len(failures) - 1
    if others:
        more = f"{others} more object{'s' if others > 1 else ''} failed"
        first.message = f"{first.message} ({more})"
    return first


def _bring(store: Store, remote: Remote, md5: str, tally: _Tally) -> None:
    draft = store.folder / "tmp" / f"{md5}.part"
    with _sole(store, draft) as file:
        if not store.has(md5):  # else another call brought it while this one waited
            if not _fill(store, remote, md5, file, tally):
                draft.unlink(missing_ok=True)
                raise OutsideError(
                    f"{remote.url} holds {md5} with other bytes than its name says",
                    "Whoever has the right ones sends them anew: remove it there, then lockgate data put",
                    code="remote-damaged",
                )
            with _writing(store, md5):
                draft.chmod(0o444)
                path = store.path(md5)
                path.parent.mkdir(parents=True, exist_ok=True)
                draft.replace(path)
    tally.arrived()


def _fill(store: Store, remote: Remote, md5: str, file: FileIO, tally: _Tally) -> bool:
    """Bring what a draft lacks; return whether it then has the bytes of its digest.

    What an earlier call left is begun anew where it does not lead to them: a machine that lost its power
    keeps a file's length and not its bytes.
    """
    start = -1
    while start:
        digest = hashlib.md5(usedforsecurity=False)
        if start > 0:
            with _writing(store, md5):
                file.truncate(0)
        file.seek(0)
        start = 0
        for piece in iter(lambda: file.read(_PIECE_BYTES), b""):
            digest.update(piece)
            start += len(piece)
        for piece in remote.pieces(md5, start):
            digest.update(piece)
            with _writing(store, md5):
                rest = memoryview(piece)
                while rest:
                    rest = rest[file.write(rest) :]
            tally.came(len(piece))
        if digest.hexdigest() == md5.removesuffix(".dir"):
            return True
    return False


@contextlib.contextmanager
def _sole(store: Store, draft: Path) -> Iterator[FileIO]:
    """Open a draft for one writer at a time, at its beginning; what an earlier call left of it is there."""
    while True:
        with _writing(store, draft.name):
            draft.parent.mkdir(parents=True, exist_ok=True)
            file = draft.open("a+b", buffering=0)
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever held it before may have put it in its place, or thrown it away
            try:
                is_same = os.path.samestat(os.fstat(file.fileno()), draft.stat())
            except FileNotFoundError:
                is_same = False
            if is_same:
                yield file
                return


@contextlib.contextmanager
def _writing(store: Store, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutsideError(
            f"the store cannot keep {name}: {error.strerror or error}",
            f"Look at the disk and the rights of {store.folder}; what has come is kept, so call again.",
            code="store-unwritable",
            is_transient=True,
        ) from error
