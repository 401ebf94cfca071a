"""Tables of text, paged and sorted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate.hub.showing.tabular import Table, page, parse


def test_a_table_is_read_by_its_delimiter() -> None:
    assert parse(b"a;b\n1;2\n", "x.csv") == Table(("a", "b"), (("1", "2"),))
    assert parse(b"a\tb\n1\n", "x.tsv") == Table(("a", "b"), (("1", ""),))
    assert parse(b"\xef\xbb\xbfa,b\n", "x.csv") == Table(("a", "b"), ())
    assert parse(b"", "x.csv") is None
    assert parse(b"PAR1", "x.parquet") is None


def test_numbers_are_sorted_as_numbers_and_words_after_them() -> None:
    table = Table(("n",), (("10",), ("9",), ("x",), ("-1",)))
    assert [row[0] for row in page(table, sort="0").rows] == ["-1", "9", "10", "x"]
    assert [row[0] for row in page(table, sort="-0").rows] == ["x", "10", "9", "-1"]
    assert page(table, sort="7").sort is None


def test_pages_stay_inside_the_table() -> None:
    table = Table(("n",), tuple((str(n),) for n in range(120)))
    assert page(table, start=100).rows[0] == ("100",)
    assert page(table, start=10_000, count=50).start == 119
    assert page(table, start=-5).start == 0


@given(st.binary(max_size=300))
def test_whatever_a_file_holds_is_a_table_or_none(content: bytes) -> None:
    table = parse(content, "x.csv")
    if table is not None:
        assert all(len(row) == len(table.header) for row in table.rows)
        page(table, sort="-0")
