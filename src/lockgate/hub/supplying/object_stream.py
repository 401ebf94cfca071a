"""Many objects in one stream, and the taking in of it: the wire form of data between clone and hub.

Each object is a line `MD5 SIZE OFFSET`, then its bytes from the offset on; one that cannot be had is a line
`MD5 -`; the line `end` ends the stream, so that one that breaks off is known. What came until then is kept.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError, UserError

PIECE_BYTES = 1 << 20
#: Objects up to this size are taken in memory: nothing of them is worth keeping over a break.
SMALL_BYTES = 1 << 18
_HEAD = re.compile(rb"([0-9a-f]{32}(?:\.dir)?) (?:(0|[1-9][0-9]{0,17}) (0|[1-9][0-9]{0,17})|-)")
_LONGEST_HEAD = 100
_END = b"end"

Accept = Callable[[str, Path], None]
"""(digest, file with its bytes, seen to be right): move the file to where it belongs."""


class Piece(msgspec.Struct, frozen=True):
    """An object to be sent: where it lies, and from which byte on."""

    md5: str
    path: Path | None
    """None: it is not there."""
    size_bytes: int = 0
    offset: int = 0

    def head(self) -> bytes:
        if self.path is None:
            return f"{self.md5} -\n".encode()
        return f"{self.md5} {self.size_bytes} {self.offset}\n".encode()


def stream_bytes(pieces: Iterable[Piece]) -> int:
    """Return how long the stream of these objects is."""
    return sum(len(piece.head()) + piece.size_bytes - piece.offset for piece in pieces) + len(_END) + 1


def stream(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the stream of these objects, small ones together.

    Raises `OutsideError` (`data-changing`) for a file that is shorter than it was.
    """
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece.head())
        size += len(gathered[-1])
        for chunk in _content(piece):
            gathered.append(chunk)
            size += len(chunk)
            if size >= PIECE_BYTES:
                yield b"".join(gathered)
                gathered, size = [], 0
    yield b"".join([*gathered, _END, b"\n"])


def _content(piece: Piece) -> Iterator[bytes]:
    if piece.path is None:
        return
    left = piece.size_bytes - piece.offset
    with piece.path.open("rb", buffering=0) as file:
        file.seek(piece.offset)
        while left:
            chunk = file.read(min(left, PIECE_BYTES))
            if not chunk:
                raise OutsideError(
                    f"{piece.path} became shorter while it was sent",
                    "Leave it alone until it is sent; then try again.",
                    code="data-changing",
                )
            left -= len(chunk)
            yield chunk


class Taker:
    """Takes a stream in, piece by piece as it comes; each object is checked, then handed on.

    Parameters
    ----------
    parts
        Where objects under way are kept, on the file system they will be moved on.
    accept
        Gets each object that came whole.
    limit_bytes
        The largest object that is taken; 0: any.
    """

    def __init__(self, parts: Path, accept: Accept, limit_bytes: int = 0) -> None:
        self._parts = parts
        self._accept = accept
        self._limit_bytes = limit_bytes
        self._waiting = bytearray()
        self._current: _Part | None = None
        self._is_ended = False
        self.absent: list[str] = []
        """What the other side does not have."""
        self.damaged: str | None = None
        """What came with other bytes than its name says, which ended the taking."""
        parts.mkdir(parents=True, exist_ok=True)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes. Raises `UserError`: `data-damaged`, `data-too-large`, `data-stream`;
        `OutsideError`: `store-unwritable`."""
        try:
            self._waiting += piece
            while self._step():
                pass
        except OSError as error:
            raise OutsideError(
                f"an object cannot be kept: {error.strerror or error}",
                f"Look at the disk and the rights of {self._parts}.",
                code="store-unwritable",
                is_transient=True,
            ) from error

    def finish(self) -> None:
        """Say that nothing more comes. Raises `OutsideError` (`data-broken-off`) where that is too soon."""
        self.close()
        if not self._is_ended:
            raise OutsideError(
                "the stream of objects broke off",
                "Try again: what came is kept, the rest is sent.",
                code="data-broken-off",
                is_transient=True,
            )

    def close(self) -> None:
        """Keep what came of the object under way."""
        if self._current is not None:
            self._current.close()
            self._current = None

    def _step(self) -> bool:
        if self._current is not None:
            return self._fill(self._current)
        if self._is_ended:
            if self._waiting:
                raise _malformed()
            return False
        at = self._waiting.find(b"\n")
        if at < 0:
            if len(self._waiting) > _LONGEST_HEAD:
                raise _malformed()
            return False
        line = bytes(self._waiting[:at])
        found = _HEAD.fullmatch(line)
        if line == _END:
            self._is_ended = True
        elif found is None:
            raise _malformed()
        elif found[2] is None:
            self.absent.append(found[1].decode())
        else:
            size, offset = int(found[2]), int(found[3])
            if offset == 0 and size <= SMALL_BYTES:
                return self._take_small(found[1].decode(), at + 1, size)
            self._begin(found[1].decode(), size, offset)
        del self._waiting[: at + 1]
        return True

    def _take_small(self, md5: str, at: int, size: int) -> bool:
        if len(self._waiting) < at + size:
            return False
        content = bytes(self._waiting[at : at + size])
        del self._waiting[: at + size]
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5[:32]:
            self.damaged = md5
            raise _damaged(md5)
        handle, name = tempfile.mkstemp(dir=self._parts, prefix=".small-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            self._accept(md5, Path(name))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return True

    def _begin(self, md5: str, size: int, offset: int) -> None:
        if self._limit_bytes and size > self._limit_bytes:
            raise UserError(
                f"{md5} has {size} bytes; the hub takes {self._limit_bytes} at most",
                "Keep it on the project's remote, or ask the hub's owner for more: push_limit_bytes.",
                code="data-too-large",
            )
        self._current = _Part(self._parts, md5, size, offset)

    def _fill(self, part: _Part) -> bool:
        piece = bytes(self._waiting[: part.left])
        del self._waiting[: len(piece)]
        if piece:
            part.write(piece)
        if part.left:
            return False
        self._current = None
        file = part.finish()
        if file is None:
            self.damaged = part.md5
            raise _damaged(part.md5)
        self._accept(part.md5, file)
        return True


class _Part:
    """One object under way, kept in a file of its name that a later stream goes on with."""

    def __init__(self, folder: Path, md5: str, size: int, offset: int) -> None:
        self.md5 = md5
        self._path = part_path(folder, md5)
        self._digest = hashlib.md5(usedforsecurity=False)
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Another stream brings the same object: this one goes to a file of its own, with what was there
            other = self._handle
            self._handle, name = tempfile.mkstemp(dir=folder, prefix=f"{md5}-")
            self._path = Path(name)
            try:
                _copy_start(other, self._handle, offset)
            finally:
                os.close(other)
        there = os.fstat(self._handle).st_size
        if offset > size or offset > there:
            os.close(self._handle)
            raise _malformed()
        os.ftruncate(self._handle, offset)
        at = 0
        while at < offset:
            chunk = os.pread(self._handle, min(PIECE_BYTES, offset - at), at)
            self._digest.update(chunk)
            at += len(chunk)
        os.lseek(self._handle, offset, os.SEEK_SET)
        self.left = size - offset

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._handle, rest) :]
        self._digest.update(piece)
        self.left -= len(piece)

    def finish(self) -> Path | None:
        """Return the whole file; None: its bytes have another digest, and nothing of it is kept."""
        is_right = self._digest.hexdigest() == self.md5[:32]
        if is_right:
            os.fsync(self._handle)
        else:
            self._path.unlink(missing_ok=True)
        self.close()
        return self._path if is_right else None

    def close(self) -> None:
        os.close(self._handle)


def _copy_start(source: int, target: int, size: int) -> None:
    at = 0
    while at < size and (chunk := os.pread(source, min(PIECE_BYTES, size - at), at)):
        at += os.pwrite(target, chunk, at)


def part_path(parts: Path, md5: str) -> Path:
    """Return where an object under way is kept."""
    return parts / f"{md5}.part"


def part_bytes(parts: Path, md5: str) -> int:
    """Return how much of an object came before a break."""
    try:
        return part_path(parts, md5).stat().st_size
    except FileNotFoundError:
        return 0


def _damaged(md5: str) -> UserError:
    return UserError(
        f"what came as {md5} is not that: its bytes have another digest",
        "Look whether the file was changed, or its disk is failing: lockgate data verify",
        code="data-damaged",
    )


def _malformed() -> UserError:
    return UserError(
        "this is no stream of objects, or not one that goes on where the last broke off",
        "Try again; use the same version of Lockgate here and on the hub.",
        code="data-stream",
    )
