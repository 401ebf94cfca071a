"""Parquet files: only what is asked for is read, by a process that may fail without harm."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lockgate.data.store import Store
from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.showing.artifact_content import File
from lockgate.hub.showing.parquet import read_parquet
from lockgate.hub.showing.parquet_reader import Answer, Question


class Shelf:
    """A hub with tables in its store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub: Hub = create_hub(folder / "hub")[0]

    def ask(self, file: Path, asked: Question) -> Answer:
        digest = Store(self.hub.store).put_bytes(file.read_bytes())
        size = file.stat().st_size
        made = File(path=file.name, kind="table", size_bytes=size, md5=digest)
        return read_parquet(self.hub, "p", made, asked)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_pages_come_from_any_row_group_in_any_order(shelf: Shelf) -> None:
    numbers = list(range(25_000))
    random.Random(1).shuffle(numbers)
    table = pa.table({"n": numbers, "half": [n / 2 for n in numbers], "word": [f"w{n % 7}" for n in numbers]})
    file = shelf.folder / "t.parquet"
    pq.write_table(table, file, row_group_size=4_000)
    first = shelf.ask(file, Question(3_999, 3))
    assert first.header == ("n", "half", "word")
    assert first.numeric == (True, True, False)
    assert first.total == 25_000
    assert [row[0] for row in first.rows] == [str(n) for n in numbers[3_999:4_002]]
    up = shelf.ask(file, Question(10, 2, sort=0))
    assert up.rows == (("10", "5.0", "w3"), ("11", "5.5", "w4"))
    down = shelf.ask(file, Question(0, 1, sort=1, is_descending=True))
    assert (down.rows, down.is_sorted) == ((("24999", "12499.5", "w2"),), True)
    assert len(shelf.ask(file, Question(24_999, 50)).rows) == 1


def test_lists_structs_and_nothing_have_words(shelf: Shelf) -> None:
    file = shelf.folder / "t.parquet"
    pq.write_table(pa.table({"a": [None, 2], "l": [[1, None], None], "s": [{"x": 1}, {"x": 0}]}), file)
    assert shelf.ask(file, Question(0, 9)).rows == (("", "[1, None]", "{'x': 1}"), ("2", "", "{'x': 0}"))
    assert shelf.ask(file, Question(0, 9, sort=2)).rows[0][0] == "2"
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), file)
    assert shelf.ask(file, Question(0, 9)) == Answer(header=("a",), numeric=(True,))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(500) + b"PAR1", b"\xff" * 4000])
def test_what_is_none_is_told_in_words(shelf: Shelf, content: bytes) -> None:
    file = shelf.folder / "t.parquet"
    file.write_bytes(content)
    assert shelf.ask(file, Question(0, 9)).problem


@pytest.mark.slow
def test_a_small_file_that_unpacks_to_more_than_there_is_room_for_harms_nobody(shelf: Shelf) -> None:
    file = shelf.folder / "t.parquet"
    word = pa.array(["x" * 100_000_000], pa.string())
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 60, pa.int32()), word)
    limit = 1 << 30
    table = pa.table({"a": column})
    pq.write_table(table, file, compression="zstd", store_schema=False, dictionary_pagesize_limit=limit)
    assert file.stat().st_size < 1_000_000
    told = shelf.ask(file, Question(0, 50))
    assert told.problem
    assert not told.rows


def test_more_than_can_be_told_at_once_is_not(shelf: Shelf) -> None:
    file = shelf.folder / "t.parquet"
    pq.write_table(pa.table({f"c{n}": [0] * 6_000 for n in range(200)}), file)
    assert "cells" in shelf.ask(file, Question(0, 50_001)).problem
    assert not shelf.ask(file, Question(0, 50)).problem
