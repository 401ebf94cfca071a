"""Large files are compared as small ones are, only in little memory."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.project.pipeline import Allowance
from lockgate.verify import streams
from lockgate.verify.compare import compare
from lockgate.verify.report import Compared
from lockgate.verify.streams import compare_streams


def said(left: bytes | str, right: bytes | str, path: str, **allowed: object) -> Compared:
    one, other = (each.encode() if isinstance(each, str) else each for each in (left, right))
    return compare_streams(
        lambda: io.BytesIO(one),
        lambda: io.BytesIO(other),
        path,
        Allowance("*", **allowed),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("left", "right", "path", "verdict", "words"),
    [
        ("a,b\n1,2\n3,4\n", "a,b\n1,2\n3,5\n", "t.csv", "differs", "column b, 1 of 2 rows (first: 2)"),
        ("a,b\n1,2\n3,4\n", "a,b\n3,4\n1,2\n", "t.csv", "within-tolerance", "but for the order of rows"),
        ("a,b\n1,2\n", "b,a\n2,1\n", "t.csv", "within-tolerance", "but for the order of columns"),
        ("a\n1\n", "a\n1\n2\n", "t.csv", "differs", "1 rows, and 2"),
        ("a,b\n", "a,c\n", "t.csv", "differs", "column b is missing, column c is new"),
        ("a\n1.0\n", "a\n1.00\n", "t.csv", "within-tolerance", ""),
        ('{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 3}\n', "t.jsonl", "differs",
         "column a, 1 of 2 rows (first: 2)"),
        ("x\ny\n", "x\nz\n", "t.txt", "differs", "line 2, 1 of 2 lines"),
        ("x\ny", "x\n", "t.txt", "differs", "2 lines, and 1"),
        (b"\0ab", b"\0ac", "t.bin", "differs", "byte 3"),
        (b"\0ab", b"\0a", "t.bin", "differs", "their length"),
        (b"a\n\xff", b"a\n\xfe", "t.csv", "differs", "byte 3"),
    ],
)  # fmt: skip
def test_what_differs_is_named(
    left: bytes | str, right: bytes | str, path: str, verdict: str, words: str
) -> None:
    found = said(left, right, path)
    assert (found.verdict, found.words) == (verdict, words)


def test_a_tolerance_and_what_is_ignored_count() -> None:
    assert said("a,b\n1,2\n", "a,b\n1,3\n", "t.csv", columns={"b": 1.0}).verdict == "within-tolerance"
    assert said("a,b\n1,2\n", "a,b\n1,3\n", "t.csv", ignore=("b",)).verdict == "within-tolerance"
    assert said('{"b": 2}\n', '{"b": 3}\n', "t.jsonl", tolerance=1.0).verdict == "within-tolerance"
    assert said("x 1\nmade 4\n", "x 2\nmade 5\n", "t.txt", tolerance=1.0, ignore=("made",)).verdict == (
        "within-tolerance"
    )


def test_a_line_without_end_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST_LINE", 10)
    assert said("a" * 30, "a" * 29 + "b", "t.txt").words == "byte 30"
    assert said("a" * 30, "a" * 29 + "b", "t.csv").words == "byte 30"


_CELLS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=6)


@given(_CELLS, _CELLS, st.sampled_from([0.0, 1.0]))
def test_the_verdict_is_that_of_small_files(
    one: list[tuple[int, int]], other: list[tuple[int, int]], tolerance: float
) -> None:
    left, right = ("a,b\n" + "".join(f"{row[0]},{row[1]}\n" for row in rows) for rows in (one, other))
    if left != right:
        whole = compare(left.encode(), right.encode(), "t.csv", "table", Allowance("*", tolerance=tolerance))
        assert said(left, right, "t.csv", tolerance=tolerance).verdict == whole.verdict


_COMPARES = """\
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (200_000_000, 200_000_000))
from lockgate.project.pipeline import Allowance
from lockgate.verify.streams import compare_streams
one, other = map(Path, sys.argv[1:])
print(compare_streams(lambda: one.open("rb"), lambda: other.open("rb"), one.name, Allowance("*")).words)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_table_larger_than_the_memory_is_compared(tmp_path: Path) -> None:
    filling = "x" * 2000
    for name, last in (("a.csv", 1), ("b.csv", 2)):
        with (tmp_path / name).open("w") as file:
            file.write("id,price,text\n")
            file.writelines(f"{n},{n},{filling}\n" for n in range(140_000))
            file.write(f"140000,{last},\n")
    assert (tmp_path / "a.csv").stat().st_size > 256_000_000
    words = [sys.executable, "-c", _COMPARES, str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=250, check=False)
    assert done.stdout == "column price, 1 of 140,001 rows (first: 140001)\n", done.stderr
