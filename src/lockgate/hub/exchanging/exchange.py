"""How data goes between a clone and its hub: by path, ssh or HTTP, with one question and the same streams."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

import msgspec

from lockgate.data.digest import md5_of, md5_of_file
from lockgate.data.store import Store
from lockgate.errors import OutsideError, UserError
from lockgate.git.program import clean_environment
from lockgate.hub.reaching.address import Address, HttpHub, LocalHub, RemoteHub
from lockgate.hub.supplying.holdings import Holdings
from lockgate.hub.supplying.object_stream import PIECE_BYTES, SMALL_BYTES, Piece, stream, stream_bytes

#: So many digests stand in one question: a request of some megabytes.
ASKED_AT_ONCE = 50_000
_TOLD = re.compile(r"(?:error|lockgate): (.*?)(?:\. |\n\s*)(\S.*) \[([a-z0-9-]+)\]\s*$", re.DOTALL)


class Exchange(Protocol):
    """A hub's data, as a member may see it."""

    def lacking(self, digests: Sequence[str]) -> dict[str, int]:
        """Return what of these the hub lacks, with how many bytes of each came before a break."""

    def send(self, pieces: Sequence[Piece]) -> None:
        """Send objects in one stream. What came before a break is kept."""

    def give(self, wanted: Mapping[str, int]) -> Iterator[bytes]:
        """Yield the stream of these objects, each from the byte given on."""


class Fault(msgspec.Struct, frozen=True):
    """A refusal, as a hub's command line tells it."""

    code: str
    message: str
    hint: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: Fault


class _Lacking(msgspec.Struct, frozen=True):
    lacking: dict[str, int]


def exchange_with(place: Address) -> Exchange:
    """Return the way to a hub's data."""
    match place:
        case LocalHub():
            return _ByPath(place)
        case RemoteHub():
            return _BySsh(place)
        case HttpHub():
            return _ByHttp(place)


class _ByPath:
    """Objects are copied, by reference where the file system can, and checked as any other."""

    def __init__(self, place: LocalHub) -> None:
        self._hub, self._project = place.hub, place.project

    def lacking(self, digests: Sequence[str]) -> dict[str, int]:
        from lockgate.hub.supplying.taking import lacking  # noqa: PLC0415  (the index: only beside a hub)

        return lacking(self._hub, self._project, digests)

    def send(self, pieces: Sequence[Piece]) -> None:
        store, parts = Store(self._hub.store), self._hub.incoming / self._project
        parts.mkdir(parents=True, exist_ok=True)
        for piece in pieces:
            if piece.path is not None and piece.size_bytes <= SMALL_BYTES:
                content = piece.path.read_bytes()
                if md5_of(content) != piece.md5[:32]:
                    raise _changed(piece)
                store.put_under(content, piece.md5)
            elif piece.path is not None:
                self._send_large(store, parts, piece, piece.path)
        Holdings(self._hub, self._project).add(piece.md5 for piece in pieces if piece.path is not None)

    def _send_large(self, store: Store, parts: Path, piece: Piece, path: Path) -> None:
        with tempfile.NamedTemporaryFile(dir=parts, prefix=f"{piece.md5}-", delete=False) as file:
            draft = Path(file.name)
        try:
            Store.copy_file(path, draft)
            if md5_of_file(draft) != piece.md5[:32]:
                raise _changed(piece)
            store.adopt_new(draft, piece.md5)
        finally:
            draft.unlink(missing_ok=True)

    def give(self, wanted: Mapping[str, int]) -> Iterator[bytes]:
        from lockgate.hub.supplying.taking import give  # noqa: PLC0415

        return give(self._hub, self._project, wanted)


class _BySsh:
    """Each question and each stream is one call of the hub's own command line."""

    def __init__(self, place: RemoteHub) -> None:
        self._place = place

    def lacking(self, digests: Sequence[str]) -> dict[str, int]:
        with self._called("lacking") as program:
            output, error = program.communicate(msgspec.json.encode(digests))
        self._check(program, output, error)
        return msgspec.json.decode(output, type=_Lacking).lacking

    def send(self, pieces: Sequence[Piece]) -> None:
        with self._called("take") as program:
            assert program.stdin is not None
            try:
                for chunk in stream(pieces):
                    program.stdin.write(chunk)
            except BrokenPipeError:
                pass  # it has ended: what it said tells why
            except BaseException:
                program.kill()
                raise
            output, error = program.communicate()
        self._check(program, output, error)

    def give(self, wanted: Mapping[str, int]) -> Iterator[bytes]:
        # What it complains of is little, and is read at the end
        with tempfile.TemporaryFile() as complaints, self._called("give", complaints) as program:
            assert program.stdin is not None and program.stdout is not None
            try:
                program.stdin.write(msgspec.json.encode(wanted))
                program.stdin.close()
                first = b""
                while chunk := program.stdout.read(PIECE_BYTES):
                    first = first or chunk
                    if not first.startswith(b"{"):
                        yield chunk
            except BrokenPipeError:
                first = b""
            finally:
                if program.poll() is None:
                    program.stdout.close()
                    program.kill()
            program.wait()
            complaints.seek(0)
            self._check(program, first, complaints.read())

    def _called(self, verb: str, complaints: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        words = self._place.words(["hub", verb, "--json"])
        try:
            return subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=clean_environment(),
            )
        except FileNotFoundError:
            raise self._place.no_ssh(words[0]) from None

    def _check(self, program: subprocess.Popen[bytes], output: bytes, error: bytes) -> None:
        code = program.returncode
        if code == 0:
            return
        told = told_fault(output, error.decode("utf-8", "replace"))
        if told is None:
            raise self._place.no_answer()
        kind = OutsideError if code == 3 else UserError
        raise kind(told.message, told.hint, code=told.code)


class _ByHttp:
    """The paths `objects/…` of the API."""

    def __init__(self, place: HttpHub) -> None:
        from lockgate.hub.reaching.http_client import HttpClient  # noqa: PLC0415  (http.client, ssl)

        self._client = HttpClient(place.base)
        self._path = ["projects", place.project, "objects"]

    def lacking(self, digests: Sequence[str]) -> dict[str, int]:
        return self._client.post([*self._path, "lacking"], _Lacking, {"objects": digests}).lacking

    def send(self, pieces: Sequence[Piece]) -> None:
        self._client.send([*self._path, "take"], stream(pieces), stream_bytes(pieces))

    def give(self, wanted: Mapping[str, int]) -> Iterator[bytes]:
        return self._client.pieces([*self._path, "give"], body={"objects": wanted})


def lacking_of(exchange: Exchange, digests: Iterable[str]) -> dict[str, int]:
    """Ask for any number of objects, in few questions."""
    asked = list(dict.fromkeys(digests))
    found: dict[str, int] = {}
    for at in range(0, len(asked), ASKED_AT_ONCE):
        found |= exchange.lacking(asked[at : at + ASKED_AT_ONCE])
    return found


def _changed(piece: Piece) -> UserError:
    return UserError(
        f"{piece.path} is not {piece.md5} any more: its bytes have another digest",
        "Look whether the file was changed, or its disk is failing: lockgate data verify",
        code="data-damaged",
    )


def told_fault(output: bytes, error: str) -> Fault | None:
    """Return why the hub's command line refused, by what it printed; None: it was none of its refusals."""
    try:
        return msgspec.json.decode(output.strip().split(b"\n")[-1], type=_Refusal).error
    except msgspec.DecodeError:
        pass
    found = _TOLD.search(error)
    return Fault(found[3], found[1], found[2]) if found else None
