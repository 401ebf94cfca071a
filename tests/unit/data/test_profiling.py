"""What data looks like: each format, in its ugliest form too, and large files in bounded time and memory."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.data.column_count import NULLS, ColumnCount
from lockgate.data.profile import Column, Profile
from lockgate.data.profiling import Look, LookFile, profile, profile_apart


def look(tmp_path: Path, name: str, content: str | bytes) -> Profile:
    place = tmp_path / "object"
    place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return profile(Look((LookFile(str(place), name, place.stat().st_size),)))


def column(values: Sequence[str | None]) -> Column:
    found = ColumnCount("x")
    for at in range(0, len(values), 7):
        found.take(values[at : at + 7])
    return found.result()


def test_a_csv_is_counted_column_by_column(tmp_path: Path) -> None:
    found = look(
        tmp_path, "a.csv", "carrier,delay,day\nAA,3,2026-01-01\nAA,-8.5,2026-01-03\nUA,NA,2026-01-02\n"
    )
    assert (found.format, found.row_count, found.is_row_count_exact) == ("csv", 3, True)
    carrier, delay, day = found.columns
    assert (carrier.kind, carrier.distinct_count, carrier.common) == ("text", 2, (("AA", 2), ("UA", 1)))
    assert (delay.kind, delay.null_count, delay.least, delay.largest) == ("number", 1, "-8.5", "3")
    assert delay.mean == pytest.approx(-2.75) and delay.deviation == pytest.approx(8.131727984)
    assert sum(delay.bars) == 2 and delay.quartiles is not None
    assert (day.kind, day.least, day.largest) == ("day", "2026-01-01", "2026-01-03")
    assert day.high is not None and day.low is not None and day.high - day.low == 2 * 86_400


@pytest.mark.parametrize(
    ("name", "content", "names", "rows"),
    [
        ("a.tsv", "a\tb\n1\t2\n", ["a", "b"], 1),
        ("a.csv", "\ufeffa;b\n1;2\n3;4", ["a", "b"], 2),
        ("a.csv", 'a,b\n"two\nlines",2\n3,"x ""y"""\n', ["a", "b"], 2),
        ("a.csv", "a,a,\n1,2,3\n", ["a", "a (2)", "column 3"], 1),
        ("a.csv", "a,b\n", ["a", "b"], 0),
        ("a.jsonl", '{"a": 1}\n\n{"a": null, "b": [1]}\n', ["a", "b"], 2),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0), ["a", "b"], 1),
        ("A.CSV", "a\r\n1\r\n2\r\n", ["a"], 2),
    ],
)
def test_forms_of_tables(
    tmp_path: Path, name: str, content: str | bytes, names: list[str], rows: int
) -> None:
    found = look(tmp_path, name, content)
    assert [each.name for each in found.columns] == names
    assert (found.row_count, found.is_row_count_exact, found.problem) == (rows, True, "")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("a.jsonl", "[1, 2]\nnone\n", "no JSON objects"),
        ("a.csv.gz", b"plain", "gzip"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:40], "gzip"),
        ("a.parquet", b"PAR1 not", "no Parquet"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    found = look(tmp_path, name, content)
    assert words in found.problem and found.columns == ()


def test_a_row_without_an_end_is_told_of(tmp_path: Path) -> None:
    found = look(tmp_path, "a.csv", b"a,b\n" + b"x" * 5_000_000)
    assert "longer" in found.notes[0] and not found.is_row_count_exact


def test_ragged_rows_and_foreign_letters_are_told_of(tmp_path: Path) -> None:
    found = look(tmp_path, "a.csv", b"a,b\n1,2\n3\n4,5,6\n7,\xff\n")
    assert found.row_count == 2
    assert any("2 rows of another width" in note for note in found.notes)
    assert any("UTF-8" in note for note in found.notes)


@pytest.mark.slow
def test_a_sign_of_inches_ends_no_table(tmp_path: Path) -> None:
    found = look(tmp_path, "a.csv", 'a,b\n5",1\n' + "x,2\n" * 2_000_000)
    assert found.row_count == pytest.approx(2_000_001, rel=0.05)


@pytest.mark.slow
def test_of_a_file_with_very_many_cells_the_rows_are_estimated(tmp_path: Path) -> None:
    found = look(tmp_path, "a.csv", "a,b\n" + "1,2\n" * 1_900_000)
    assert found.row_count == pytest.approx(1_900_000, rel=0.05) and not found.is_row_count_exact
    assert "rows were read" in found.notes[0] and found.read_row_count < 1_900_000


def test_no_table_has_no_columns(tmp_path: Path) -> None:
    assert look(tmp_path, "a.bin", b"\0\1") == Profile()


@pytest.mark.slow
def test_a_large_file_is_sampled_and_says_so(tmp_path: Path) -> None:
    chance = random.Random(3)
    lines = "".join(f"{number},{chance.random():.9f}\n" for number in range(1_200_000))
    found = look(tmp_path, "a.csv", "number,value\n" + lines)
    assert not found.is_row_count_exact and found.is_sampled
    assert found.row_count == pytest.approx(1_200_000, rel=0.03)
    assert found.read_row_count < 1_200_000 and "spread evenly" in found.notes[0]
    number, value = found.columns
    assert number.mean == pytest.approx(600_000, rel=0.05) and value.mean == pytest.approx(0.5, rel=0.02)
    assert number.kind == "integer" and int(number.largest) > 1_190_000


def test_a_folder_is_told_by_its_endings_and_its_tables(tmp_path: Path) -> None:
    files = []
    for name, content in {"b.csv": "x,y\n1,2\n", "sub/a.csv": "x\n3\n", "c.png": "png", "d": ""}.items():
        place = tmp_path / name.replace("/", "-")
        place.write_text(content)
        files.append(LookFile(str(place), name, len(content)))
    found = profile(Look(tuple(files), is_folder=True))
    assert [(each.name, each.file_count) for each in found.endings] == [(".csv", 2), (".png", 1), ("", 1)]
    assert found.read == ("b.csv", "sub/a.csv") and found.row_count == 2
    assert [(each.name, each.least, each.largest) for each in found.columns] == [
        ("x", "1", "3"),
        ("y", "2", "2"),
    ]


def test_of_many_files_some_are_read(tmp_path: Path) -> None:
    place = tmp_path / "one"
    place.write_text("x\n1\n2\n")
    files = tuple(LookFile(str(place), f"{number:03}.csv", 6) for number in range(100))
    found = profile(Look(files, is_folder=True))
    assert len(found.read) == 16 and {"000.csv", "099.csv"} <= set(found.read)
    assert (found.row_count, found.is_row_count_exact) == (200, False)
    assert found.notes == ("16 of 100 files were read",)


def test_parquet_tells_its_own_kinds(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import datetime

    import pyarrow.parquet as pq

    table = pa.table(
        {
            "n": [1, None, 3],
            "code": ["007", "008", None],
            "at": [datetime.datetime(2026, 1, day, tzinfo=datetime.UTC) for day in (1, 2, 3)],
            "list": [[1], [2], []],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = look(tmp_path, "a.parquet", (tmp_path / "a.parquet").read_bytes())
    assert [each.kind for each in found.columns] == ["integer", "text", "moment", "other"]
    assert found.columns[0].null_count == 1 and found.row_count == 3 and sum(found.columns[2].bars) == 3


def test_another_process_looks_and_a_broken_file_does_it_no_harm(tmp_path: Path) -> None:
    place = tmp_path / "object"
    place.write_text("a\n1\n")
    found = profile_apart(Look((LookFile(str(place), "a.csv", 4),)))
    assert [each.name for each in found.columns] == ["a"]
    gone = profile_apart(Look((LookFile(str(tmp_path / "gone"), "a.csv", 4),)))
    assert "cannot be read" in gone.problem


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2"], "integer"),
        (["1", "2.5", "1e3"], "number"),
        (["00123", "12"], "text"),
        (["12345678901234567890"], "text"),
        (["true", "False"], "boolean"),
        (["2026-01-01", "2026-01-01T10:00Z"], "moment"),
        (["2026-02-30"], "text"),
        (["1", "x"], "text"),
        (["1", "true"], "text"),
        (["", None, "NA"], "empty"),
        ([], "empty"),
    ],
)
def test_kinds_are_told_by_the_values(values: list[str | None], kind: str) -> None:
    assert column(values).kind == kind


def test_different_values_are_estimated_where_they_are_many() -> None:
    found = column([f"v{number}" for number in range(50_000)])
    assert not found.is_distinct_exact and found.distinct_count == pytest.approx(50_000, rel=0.1)
    assert found.common == ()


@given(st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=200))
def test_numbers_agree_with_their_definition(numbers: list[int]) -> None:
    found = column([str(number) for number in numbers])
    mean = sum(numbers) / len(numbers)
    assert found.mean == pytest.approx(mean, abs=1e-3)
    assert (found.low, found.high) == (min(numbers), max(numbers))
    assert sum(found.bars) == len(numbers) and found.distinct_count == len(set(numbers))
    variance = sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1)
    assert found.deviation == pytest.approx(variance**0.5, rel=1e-6, abs=1e-3)


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=100))
def test_any_words_are_taken(values: list[str | None]) -> None:
    found = column(values)
    assert found.null_count == sum(value is None or value in NULLS for value in values)
