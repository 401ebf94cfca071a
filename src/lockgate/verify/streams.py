"""Two large files, compared as they are read: tables by rows, text by lines, else bytes; in little memory."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from lockgate.project.pipeline import Allowance
from lockgate.verify.closeness import agree_in_text, few
from lockgate.verify.report import Compared
from lockgate.verify.tables import NoTableError, Row, Tally, batches_of, separator_of

#: A line longer than this is none: the file is compared by its bytes.
LONGEST_LINE = 16_000_000
_STEP = 1 << 20
_MODULUS = 1 << 128

OpenStream = Callable[[], BinaryIO]


class _NoTextError(Exception):
    """What is no text that can be compared by lines."""


def compare_streams(left: OpenStream, right: OpenStream, path: str, allowed: Allowance) -> Compared:
    """Return how two large contents that differ compare.

    Rows are compared in their order. Where they are the same rows in another, that is found out; a `key` is
    not looked up, since that would take all of a table at once.
    """
    name = path.lower()
    try:
        if name.endswith((".csv", ".tsv", ".parquet")):
            with left() as one, right() as other:
                return _compare_rows(_table(one, name), _table(other, name), allowed)
    except (NoTableError, _NoTextError, csv.Error):
        if name.endswith(".parquet"):
            return _compare_bytes(left, right)
    try:
        with left() as one, right() as other:
            return _compare_lines(one, other, allowed, is_json=name.endswith((".jsonl", ".ndjson")))
    except _NoTextError:
        return _compare_bytes(left, right)


def _compare_rows(
    left: tuple[Sequence[str], Iterator[Row]], right: tuple[Sequence[str], Iterator[Row]], allowed: Allowance
) -> Compared:
    ours, theirs = left[0], right[0]
    columns = [name for name in ours if name not in allowed.ignore]
    gone = [f"column {name} is missing" for name in columns if name not in theirs]
    new = [f"column {name} is new" for name in theirs if name not in ours and name not in allowed.ignore]
    if gone or new:
        return Compared("differs", few(gone + new))
    places = [ours.index(name) for name in columns], [theirs.index(name) for name in columns]
    tally, counts, sums, is_moved = Tally(columns, allowed), [0, 0], [0, 0], False
    for number, pair in enumerate(itertools.zip_longest(left[1], right[1]), start=1):
        picked: list[Row] = []
        for side, row in enumerate(pair):
            if row is not None:
                counts[side] += 1
                cells = tuple(row[at] if at < len(row) else "" for at in places[side])
                picked.append(cells)
        if len(picked) == 2 and picked[0] == picked[1]:
            continue
        is_moved = True
        for side, cells in zip([side for side in (0, 1) if pair[side] is not None], picked, strict=True):
            # A sum knows no order: the same rows in another give the same
            digest = hashlib.blake2b(repr(cells).encode("utf-8", "surrogatepass"), digest_size=16).digest()
            sums[side] = (sums[side] + int.from_bytes(digest, "big")) % _MODULUS
        if len(picked) == 2:
            tally.add(str(number), picked[0], picked[1])
    if counts[0] != counts[1]:
        return Compared("differs", f"{counts[0]:,} rows, and {counts[1]:,}")
    if tally.is_clean:
        notes = "but for the order of columns" if list(ours) != list(theirs) else ""
        return Compared("within-tolerance", notes)
    if is_moved and sums[0] == sums[1]:
        return Compared("within-tolerance", "but for the order of rows")
    return tally.told(counts[0])


def _table(stream: BinaryIO, name: str) -> tuple[Sequence[str], Iterator[Row]]:
    """Return the columns of a table, and its rows as they are read."""
    if name.endswith(".parquet"):
        return batches_of(stream)
    lines = _lines(stream)
    first = next(lines, "").removeprefix("\ufeff")
    separator = "\t" if name.endswith(".tsv") else separator_of(first)
    rows = (row for row in csv.reader(itertools.chain([first], lines), delimiter=separator) if row)
    columns = next(rows, [])
    if len(set(columns)) != len(columns):
        raise NoTableError("two columns have one name")
    return columns, (tuple(row) for row in rows)


def _lines(stream: BinaryIO) -> Iterator[str]:
    while line := stream.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE or b"\0" in line:
            raise _NoTextError
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            raise _NoTextError from None


def _compare_lines(left: BinaryIO, right: BinaryIO, allowed: Allowance, *, is_json: bool) -> Compared:
    ours, theirs = (
        (line for line in _lines(stream) if not any(word in line for word in allowed.ignore))
        for stream in (left, right)
    )
    tally, counts, differing, first = Tally((), allowed), [0, 0], 0, 0
    for number, (one, other) in enumerate(itertools.zip_longest(ours, theirs), start=1):
        counts[0] += one is not None
        counts[1] += other is not None
        if one == other or one is None or other is None:
            continue
        if is_json and _add_documents(tally, str(number), one, other):
            continue
        if not agree_in_text(one, other, allowed.tolerance):
            differing += 1
            first = first or number
    if counts[0] != counts[1]:
        return Compared("differs", f"{counts[0]:,} lines, and {counts[1]:,}")
    if differing:
        return Compared("differs", f"line {first:,}, {differing:,} of {counts[0]:,} lines")
    return Compared("within-tolerance") if tally.is_clean else tally.told(counts[0])


def _add_documents(tally: Tally, name: str, one: str, other: str) -> bool:
    """Compare two lines as JSON objects; return False where one is none."""
    try:
        left, right = json.loads(one), json.loads(other)
    except (ValueError, RecursionError):
        return False
    if not isinstance(left, dict) or not isinstance(right, dict):
        return False
    for key in {**left, **right}:
        tally.compare(str(key), name, left.get(key), right.get(key))
    return True


def _compare_bytes(left: OpenStream, right: OpenStream) -> Compared:
    at = 0
    with left() as one, right() as other:
        while True:
            ours, theirs = one.read(_STEP), other.read(_STEP)
            if ours != theirs:
                pairs = enumerate(zip(ours, theirs, strict=False))
                found = next((number for number, pair in pairs if pair[0] != pair[1]), None)
                return Compared("differs", "their length" if found is None else f"byte {at + found + 1:,}")
            if not ours:
                return Compared("identical")
            at += len(ours)
