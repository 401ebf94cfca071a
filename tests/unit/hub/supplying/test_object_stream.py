"""Streams of objects: taken whole however they are cut, gone on with after a break, never wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.hub.supplying.object_stream import SMALL_BYTES, Piece, Taker, part_bytes, stream, stream_bytes

LARGE = bytes(range(256)) * (SMALL_BYTES // 128)


def piece(folder: Path, content: bytes, offset: int = 0) -> Piece:
    md5 = hashlib.md5(content).hexdigest()
    path = folder / md5
    path.write_bytes(content)
    return Piece(md5, path, len(content), offset)


class Shelf:
    """Takes streams in, and keeps what came whole."""

    def __init__(self, folder: Path) -> None:
        self.parts = folder / "parts"
        self.kept: dict[str, bytes] = {}

    def taker(self, limit_bytes: int = 0) -> Taker:
        return Taker(self.parts, self._keep, limit_bytes)

    def _keep(self, md5: str, file: Path) -> None:
        self.kept[md5] = file.read_bytes()
        file.unlink()


@given(contents=st.lists(st.binary(max_size=300), max_size=5, unique=True), cut=st.integers(1, 50))
def test_any_cut_gives_the_same(
    contents: list[bytes], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("stream")
    pieces = [piece(folder, content) for content in [*contents, LARGE]]
    whole = b"".join(stream(pieces))
    assert len(whole) == stream_bytes(pieces)
    shelf = Shelf(folder)
    taker = shelf.taker()
    step = cut if len(whole) < 5000 else cut * 1000
    for at in range(0, len(whole), step):
        taker.feed(whole[at : at + step])
    taker.finish()
    assert sorted(shelf.kept.values()) == sorted([*contents, LARGE])
    assert list(shelf.parts.iterdir()) == []


def test_after_a_break_it_goes_on_from_there(tmp_path: Path) -> None:
    shelf, one = Shelf(tmp_path), piece(tmp_path, LARGE)
    whole = b"".join(stream([one]))
    taker = shelf.taker()
    taker.feed(whole[: len(whole) // 2])
    with pytest.raises(OutsideError, match="broke off"):
        taker.finish()
    there = part_bytes(shelf.parts, one.md5)
    assert 0 < there < len(LARGE) and not shelf.kept
    rest = Piece(one.md5, one.path, one.size_bytes, there)
    assert stream_bytes([rest]) < len(whole) // 2 + 200
    again = shelf.taker()
    for chunk in stream([rest]):
        again.feed(chunk)
    again.finish()
    assert shelf.kept == {one.md5: LARGE}


@pytest.mark.parametrize("size", [100, len(LARGE)])
def test_other_bytes_are_refused_and_nothing_of_them_is_kept(tmp_path: Path, size: int) -> None:
    shelf, one = Shelf(tmp_path), piece(tmp_path, LARGE[:size])
    whole = bytearray(b"".join(stream([one])))
    whole[60] ^= 1
    with pytest.raises(UserError) as refused:
        shelf.taker().feed(bytes(whole))
    assert refused.value.code == "data-damaged"
    assert not shelf.kept and list(shelf.parts.iterdir()) == []


def test_two_streams_of_the_same_object_do_not_meet(tmp_path: Path) -> None:
    shelf, one = Shelf(tmp_path), piece(tmp_path, LARGE)
    whole = b"".join(stream([one]))
    first, second = shelf.taker(), shelf.taker()
    half = len(whole) // 2
    first.feed(whole[:half])
    second.feed(whole[:half])
    second.feed(whole[half:])
    first.feed(whole[half:])
    first.finish()
    second.finish()
    assert shelf.kept == {one.md5: LARGE}


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    taker = Shelf(tmp_path).taker()
    for chunk in stream([Piece("0" * 32, None)]):
        taker.feed(chunk)
    taker.finish()
    assert taker.absent == ["0" * 32]


def test_what_is_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    one = piece(tmp_path, LARGE)
    with pytest.raises(UserError) as refused:
        Shelf(tmp_path).taker(1000).feed(one.head())
    assert refused.value.code == "data-too-large"


NO_STREAMS = [
    b"../../../../../../etc/passwd 1 0\n",
    b"0" * 32 + b" 5 9\n",
    b"0" * 32 + b" 999999 5\n",
    b"0" * 500,
    b"end\nmore",
    b"\n",
]


@pytest.mark.parametrize("head", NO_STREAMS)
def test_what_is_no_stream_is_refused(tmp_path: Path, head: bytes) -> None:
    with pytest.raises(LockgateError) as refused:
        Shelf(tmp_path).taker().feed(head)
    assert refused.value.code == "data-stream"
