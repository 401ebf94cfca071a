"""Which cell an execution is of, as pages say."""

from __future__ import annotations

import pytest

from lockgate.jupyter.capture import cell_ids
from lockgate.jupyter.capture.cell_ids import CellIds


def test_an_id_is_told_once() -> None:
    ids = CellIds()
    assert ids.put({"m1": "cell-1", "m2": "a" * 64}) == 2
    assert [ids.take(each) for each in ("m1", "m1", "m2", "m3")] == ["cell-1", None, "a" * 64, None]


def test_what_is_no_id_is_not_kept() -> None:
    ids = CellIds()
    assert ids.put({"m": "a b", "n": "", "o": "a" * 65, "": "x", "p\n": "x", "q": "ü"}) == 0
    assert ids.take("m") is None


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_ids, "MOST", 3)
    ids = CellIds()
    for number in range(5):
        ids.put({f"m{number}": f"c{number}"})
    assert [ids.take(f"m{number}") for number in range(5)] == [None, None, "c2", "c3", "c4"]
