"""Two small tables: what differs is told by key, by column, by cell; nothing else is."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.runs.table_difference import Cell, RowChange, TableDifference, read_table, table_difference


def differing(left: bytes, right: bytes) -> TableDifference:
    return table_difference(read_table(left), read_table(right))


def test_rows_are_matched_by_a_key() -> None:
    left = b"name,n,x\na,1,0.5\nb,2,0.5\nc,3,0.7\n"
    right = b"x,name,extra\n0.5,b,\n0.75,a,\n1,d,\n"
    found = differing(left, right)
    assert found.key == "name"
    assert found.changed == (RowChange("a", (Cell("x", "0.5", "0.75", 0.25),)),)
    assert (found.only_left_columns, found.only_right_columns) == (("n",), ("extra",))
    assert found.only_left == (("c", "3", "0.7"),) and found.only_right == (("1", "d", ""),)
    assert (found.left_rows, found.right_rows, found.changed_count) == (3, 3, 1)
    assert not found.is_same


def test_without_a_key_rows_are_matched_by_number() -> None:
    found = differing(b"k;v\n1;a\n1;a\n", b"k;v\n1;a\n1;b\n1;a\n")
    assert found.key is None
    assert found.changed == (RowChange("2", (Cell("v", "a", "b"),)),)
    assert found.only_right_count == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (b"", b""),
        (b"a,b\n1,2\n", b"a\tb\r\n1\t2\r\n"),
        (b"a,b\n1,2\n", b'{"a": 1, "b": 2}\n\n'),
        (b"\xef\xbb\xbfa,b\n1,2\n", b'"a","b"\n"1","2"'),
        (b"a,b\n1,2\n3,4\n", b"b,a\n4,3\n2,1\n"),
        (b'{"a": {"y": 1, "x": null}}', b'{"a": {"x": null, "y": 1}}'),
    ],
)
def test_the_same_in_other_words(left: bytes, right: bytes) -> None:
    assert differing(left, right).is_same


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"a\0b", b"{not json}", b'{"a": 1}\n[1]', b"x" * 4_000_001, b"a\n" * 60_000, b"{" * 9_000],
)
def test_what_is_no_table_is_told(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        differing(content, b"a\n1\n")


def test_odd_shapes() -> None:
    found = differing(b"a,a,\n1,2,3,4\n", b"a,a,\n1,2,3\n")
    assert found.changed_count == 0 and found.only_left_columns == ("column 4",)
    assert differing(b"x\nnan\n1e400\n", b"x\n1\n2\n").only_left_count == 2


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_compared_or_refused(left: bytes, right: bytes) -> None:
    try:
        found = differing(left, right)
    except ValueError as error:
        assert str(error)
    else:
        assert differing(left, left).is_same
        assert found.is_same == differing(right, left).is_same


cells = st.text('ab1.,"\n é', max_size=4)


@given(st.lists(st.tuples(cells, cells), max_size=6), st.permutations(range(6)))
def test_the_order_of_rows_with_a_key_does_not_matter(rows: list[tuple[str, str]], order: list[int]) -> None:
    numbered = [(f"k{number}", *row) for number, row in enumerate(rows)]
    mixed = [numbered[at] for at in order if at < len(numbered)]
    assert differing(_csv(numbered), _csv(mixed)).is_same


def _csv(rows: list[tuple[str, str, str]]) -> bytes:
    target = io.StringIO()
    csv.writer(target).writerows([("key", "x", "y"), *rows])
    return target.getvalue().encode()
