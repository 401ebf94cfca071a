"""Objects of a far hub come in batches: bounded, in order, on from a break, each by its digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from lockgate.data.store import Store
from lockgate.errors import LockgateError, OutsideError
from lockgate.hub.exchanging.object_reading import FarObjects
from lockgate.hub.supplying.object_stream import Piece, stream


class Hub:
    """A hub elsewhere that notes what it is asked for, and may break off."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.asked: list[dict[str, int]] = []
        self.breaks_after: int | None = None
        """Bytes, once."""

    def lacking(self, digests: Sequence[str]) -> dict[str, int]:
        raise NotImplementedError

    def send(self, pieces: Sequence[Piece]) -> None:
        raise NotImplementedError

    def give(self, wanted: Mapping[str, int]) -> Iterator[bytes]:
        self.asked.append(dict(wanted))
        left, self.breaks_after = self.breaks_after, None
        for chunk in stream([self._piece(md5, offset) for md5, offset in wanted.items()]):
            if left is not None and left < len(chunk):
                yield chunk[:left]
                raise OutsideError("the line broke", "Again.", code="hub-unreachable", is_transient=True)
            left = left - len(chunk) if left is not None else None
            yield chunk

    def _piece(self, md5: str, offset: int) -> Piece:
        path = self.store.path(md5)
        return Piece(md5, path, path.stat().st_size, offset) if path.exists() else Piece(md5, None)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(Store(tmp_path / "store"))


def read(objects: FarObjects, md5: str) -> bytes:
    return b"".join(objects.pieces(md5))


def test_many_small_ones_come_in_few_batches_and_nothing_stays(hub: Hub, tmp_path: Path) -> None:
    contents = [b"%d" % number for number in range(25)]
    digests = [hub.store.put_bytes(content) for content in contents]
    objects = FarObjects(hub, tmp_path / "in", most_objects=10)
    objects.expect(digests)
    assert [read(objects, md5) for md5 in digests] == contents
    assert [len(asked) for asked in hub.asked] == [10, 10, 5]
    assert list((tmp_path / "in").iterdir()) == []


def test_a_batch_ends_where_it_is_large_enough(hub: Hub, tmp_path: Path) -> None:
    contents = [bytes([number]) * 400_000 for number in range(8)]
    digests = [hub.store.put_bytes(content) for content in contents]
    objects = FarObjects(hub, tmp_path / "in", most_bytes=1_000_000)
    objects.expect(digests)
    most = 0
    for md5, content in zip(digests, contents, strict=True):
        assert read(objects, md5) == content
        most = max(most, sum(file.stat().st_size for file in (tmp_path / "in").iterdir()))
    assert most <= 1_200_000 and len(hub.asked) == 3


def test_what_is_read_first_comes_first_and_nothing_comes_twice(hub: Hub, tmp_path: Path) -> None:
    one, two, three = (hub.store.put_bytes(each) for each in (b"one", b"two", b"three"))
    objects = FarObjects(hub, tmp_path / "in", most_objects=2)
    objects.expect([one, three])
    assert read(objects, one) == b"one"
    objects.expect([two, one, three])
    assert read(objects, two) == b"two" and read(objects, three) == b"three"
    assert [list(asked) for asked in hub.asked] == [[one, three], [two]]


def test_it_goes_on_where_it_broke_off(hub: Hub, tmp_path: Path) -> None:
    large = hub.store.put_bytes(bytes(3_000_000))
    small = hub.store.put_bytes(b"small")
    objects = FarObjects(hub, tmp_path / "in")
    objects.expect([small, large])
    hub.breaks_after = 2_500_000
    assert read(objects, small) == b"small"
    assert len(read(objects, large)) == 3_000_000
    assert hub.asked[1].keys() == {large} and hub.asked[1][large] > 1_000_000


def test_one_that_is_damaged_or_absent_stops_only_itself(hub: Hub, tmp_path: Path) -> None:
    good, bad, last = (hub.store.put_bytes(each) for each in (b"good", b"bad", b"last"))
    hub.store.path(bad).chmod(0o644)
    hub.store.path(bad).write_bytes(b"bed")
    none = "0" * 32
    objects = FarObjects(hub, tmp_path / "in")
    objects.expect([good, bad, none, last])
    assert read(objects, good) == b"good"
    with pytest.raises(LockgateError) as error:
        read(objects, bad)
    assert error.value.code == "data-damaged"
    with pytest.raises(LockgateError) as error:
        read(objects, none)
    assert error.value.code == "store-missing"
    assert read(objects, last) == b"last"


def test_what_is_not_read_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    digests = [hub.store.put_bytes(b"%d" % number) for number in range(3)]
    objects = FarObjects(hub, tmp_path / "in")
    objects.expect(digests)
    read(objects, digests[0])
    objects.close()
    assert list((tmp_path / "in").iterdir()) == []
