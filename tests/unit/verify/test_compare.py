"""What comparers make of two contents: planted differences by name, and any bytes without a crash."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lockgate.project.pipeline import Allowance
from lockgate.verify.allowance import allowance
from lockgate.verify.compare import compare
from lockgate.verify.report import Compared

ENDINGS = [
    "csv", "tsv", "jsonl", "json", "yaml", "svg", "png", "jpg", "pdf", "ipynb", "zip", "npz", "tar", "tar.gz",
    "gz", "txt", "bin",
]  # fmt: skip


def said(left: str | bytes, right: str | bytes, path: str, **allowed: object) -> Compared:
    one, other = (each.encode() if isinstance(each, str) else each for each in (left, right))
    return compare(one, other, path, "file", Allowance("*", **allowed))  # type: ignore[arg-type]


def rows(*values: str) -> str:
    return "id,price\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values, 1))


def picture(shade: int, dots: int, form: str = "PNG", **about: str) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    image = Image.new("RGB", (20, 10), (200, 200, 200))
    for number in range(dots):
        image.putpixel((number, 3), (shade, shade, shade))
    info = PngInfo()
    for name, value in about.items():
        info.add_text(name, value)
    content = io.BytesIO()
    image.save(content, form, pnginfo=info)
    return content.getvalue()


def notebook(*outputs: str, tags: tuple[str, ...] = (), count: int = 1) -> str:
    cells = [
        {
            "cell_type": "code",
            "execution_count": count,
            "id": f"{count}",
            "metadata": {"tags": list(tags), "execution": {"iopub.execute_input": f"{count}"}},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": [text]}],
            "source": ["x"],
        }
        for text in outputs
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def zipped(members: dict[str, str], year: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), text)
    return content.getvalue()


def tarred(text: str, at: int) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.size, info.mtime = len(text), at
        archive.addfile(info, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.mark.parametrize(
    ("left", "right", "path", "words"),
    [
        (rows("1", "2", "3"), rows("1", "9", "3"), "a.csv", "column price, 1 of 3 rows (first: 2)"),
        (rows("1", "2"), rows("1"), "a.csv", "2 rows, and 1"),
        ("a,b\n1,2\n", "a,c\n1,2\n", "a.csv", "column b is missing, column c is new"),
        ("a\tb\n1\t2\n", "a\tb\n1\t3\n", "a.tsv", "column b, 1 of 1 rows (first: 1)"),
        ('{"a": 1}\n', '{"a": 2}\n', "a.jsonl", "column a, 1 of 1 rows (first: 1)"),
        ('{"a": {"b": [1, 2]}}', '{"a": {"b": [1, 3]}}', "a.json", "a.b[1]: 2 and 3"),
        ("a: 1\n", "a: 2\n", "a.yaml", "a: 1 and 2"),
        (notebook("1", "2"), notebook("1", "3"), "a.ipynb", "cell 2"),
        (picture(0, 3), picture(0, 5), "a.png", "2 of 200 pixels, 2 visibly"),
        ('<svg><path d="1"/></svg>', '<svg><path d="2"/></svg>', "a.svg", "element 2 (path)"),
        (zipped({"a": "1"}, 1990), zipped({"a": "2"}, 1990), "a.zip", "a: its only line"),
        ("1\n2\n3\n", "1\n5\n3\n", "a.txt", "line 2 of 3"),
        (b"\0ab", b"\0ac", "a.bin", "byte 3"),
        (b"\0ab", b"\0a", "a.bin", "their length"),
    ],
)
def test_what_differs_is_named(left: str | bytes, right: str | bytes, path: str, words: str) -> None:
    assert said(left, right, path) == Compared("differs", words)


@pytest.mark.parametrize(
    ("left", "right", "path"),
    [
        (rows("1.0"), rows("1.00"), "a.csv"),
        (rows("1", "2"), "id,price\n2,2\n1,1\n", "a.csv"),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', "a.json"),
        (notebook("1"), notebook("1", count=9), "a.ipynb"),
        (notebook("1", tags=("volatile",)), notebook("2", tags=("volatile",)), "a.ipynb"),
        (picture(0, 3), picture(0, 3, Software="other"), "a.png"),
        (
            '<svg><g id="a" clip-path="url(#a)"/></svg>',
            '<svg><!--x--><g id="b" clip-path="url(#b)"/></svg>',
            "a.svg",
        ),
        ("<svg><metadata>1</metadata></svg>", "<svg><metadata>2</metadata></svg>", "a.svg"),
        ("%PDF /CreationDate (D:2024) x", "%PDF /CreationDate (D:2025) x", "a.pdf"),
        (zipped({"a": "1"}, 1990), zipped({"a": "1"}, 1991), "a.npz"),
        (tarred("1", 1), tarred("1", 2), "a.tar"),
        (gzip.compress(b"1", mtime=1), gzip.compress(b"1", mtime=2), "a.txt.gz"),
    ],
)
def test_what_does_not_count_agrees(left: str | bytes, right: str | bytes, path: str) -> None:
    assert said(left, right, path).verdict == "within-tolerance"


def test_a_tolerance_counts_for_its_columns_and_a_key_matches_rows() -> None:
    assert said(rows("1"), rows("1.0000001"), "a.csv", tolerance=1e-6).verdict == "within-tolerance"
    assert said(rows("1"), rows("1.0000001"), "a.csv", columns={"id": 1.0}).verdict == "differs"
    moved = "id,price\n2,2\n1,9\n"
    assert said(rows("1", "2"), moved, "a.csv", key=("id",)).words == "column price, 1 of 2 rows (first: 1)"
    assert said(rows("1"), rows("2"), "a.csv", ignore=("price",)).verdict == "within-tolerance"
    assert said(picture(0, 3), picture(0, 4), "a.png", tolerance=0.01).verdict == "within-tolerance"
    assert said("x 1.0\n", "x 1.1\n", "a.txt", tolerance=0.2).verdict == "within-tolerance"
    assert said("a\nmade 1\n", "a\nmade 2\n", "a.txt", ignore=("made",)).verdict == "within-tolerance"


def test_the_last_table_that_fits_counts() -> None:
    declared = [Allowance("*.csv", tolerance=1.0), Allowance("t/*.csv", tolerance=2.0), Allowance("*.png")]
    assert allowance("t/a.csv", declared).tolerance == 2.0
    assert allowance("other", declared).tolerance == 0.0


def contents() -> st.SearchStrategy[bytes]:
    texts = st.sampled_from([rows("1", "2"), notebook("1"), '{"a": [1]}', "<svg><g/></svg>", "a: [1]"])
    cut = st.builds(lambda text, at: text.encode()[:at], texts, st.integers(0, 60))
    made = st.sampled_from([picture(0, 2), zipped({"a": "1"}, 1990), tarred("1", 1), gzip.compress(b"1")])
    broken = st.builds(
        lambda content, at: content[:at] + b"\xff" + content[at + 1 :], made, st.integers(0, 200)
    )
    return st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode), cut, made, broken)


@given(contents(), contents(), st.sampled_from(ENDINGS), st.sampled_from([0.0, 1e-6, 0.5]))
def test_any_bytes_compare_reflexively_and_symmetrically(
    left: bytes, right: bytes, ending: str, tolerance: float
) -> None:
    path, allowed = f"a.{ending}", Allowance("*", tolerance=tolerance)
    assert compare(left, left, path, "file", allowed).verdict == "identical"
    one = compare(left, right, path, "file", allowed).verdict
    assert compare(right, left, path, "file", allowed).verdict == one
    assert (one == "identical") == (left == right)
