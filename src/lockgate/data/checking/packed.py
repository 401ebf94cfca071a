"""Files of text, packed or not: what form they are of, and their lines."""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections.abc import Iterator

import polars as pl

#: What a file of text may be packed as, by its last ending; polars unpacks both as it reads.
PACKED = (".gz", ".zst")
#: What reading a file's lines may raise, where it is broken: bytes, packing, a single value.
BROKEN = (UnicodeDecodeError, csv.Error, EOFError, gzip.BadGzipFile, zlib.error, pl.exceptions.PolarsError)


def ending(file: str) -> str:
    """Return the ending that tells a file's form: `.csv` of `x.csv.gz` too."""
    stem, last = os.path.splitext(file.lower())
    return os.path.splitext(stem)[1] if last in PACKED else last


def is_packed(file: str) -> bool:
    """Return whether a file is packed, as its name says."""
    return file.lower().endswith(PACKED)


def lines_of(file: str) -> Iterator[str]:
    """Yield a file's lines with their ends, without a byte order mark. Raises `BROKEN`."""
    if file.lower().endswith(".zst"):
        yield from _unpacked(file)
        return
    opened = gzip.open if file.lower().endswith(".gz") else open
    with opened(file, "rt", encoding="utf-8-sig", newline="") as text:
        yield from text


def _unpacked(file: str) -> Iterator[str]:
    lines = pl.scan_lines(file, name="line", glob=False)
    for batch in lines.collect_batches(maintain_order=True, engine="streaming", chunk_size=10_000):
        for line in batch["line"]:
            yield f"{line}\n".removeprefix("\ufeff")
