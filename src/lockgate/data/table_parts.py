"""Tables of text, CSV, TSV and JSON lines, in bounded parts; of a large file some, spread evenly."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import msgspec

from lockgate.project.quantities import counted, size_words

_ROWS = 2_000
_BLOCK_BYTES = 256 * 1024
_HEAD_BYTES = 64 * 1024
_LONGEST_CELL = 1_000
_LONGEST_LINE = 4_000_000
_MOST_COLUMNS = 10_000


class TableError(Exception):
    """Why a table cannot be read, in words."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Part(msgspec.Struct, frozen=True):
    """Some rows, by column; None: no value."""

    columns: Sequence[Sequence[str | None]]
    row_count: int


class Parts:
    """A table that is being read. `header`: each column's name and, where the format tells, its kind."""

    def __init__(
        self,
        header: Sequence[tuple[str, object]],
        parts: Callable[[Parts], Iterator[Part]],
        row_count: int | None = None,
    ) -> None:
        self.header = header
        self.row_count = row_count
        """Of the whole table, estimated where `is_whole` is not; None: as many as are read."""
        self.share: float | None = None
        """The part of the bytes that was read so far, where rows cannot be counted otherwise."""
        self.is_whole = True
        self.notes: list[str] = []
        self._parts = parts

    def parts(self) -> Iterator[Part]:
        """Yield the rows. Raises `TableError`."""
        return self._parts(self)

    def stop(self, read: int) -> None:
        """Note that no more is read than these rows."""
        if self.row_count is None and self.share:
            self.row_count = max(read, round(read / self.share))
        if self.row_count is None or read < self.row_count:
            self.is_whole = False
            self.note(f"{counted(read, 'row')} were read")

    def note(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)


def unique(names: Sequence[str]) -> list[str]:
    """Return the names of columns, told apart where two are the same."""
    found: dict[str, None] = {}
    for number, name in enumerate(names, start=1):
        word = name.strip()[:_LONGEST_CELL] or f"column {number}"
        found.setdefault(word if word not in found else f"{word} ({number})")
    return list(found)


def open_text(place: str, form: str, most_bytes: int, *, is_packed: bool = False) -> Parts:
    """Open a table of text. Raises `TableError`, `OSError`."""
    with _opened(place, is_packed) as file:
        head = _read(file, _HEAD_BYTES)
    if not head:
        raise TableError("it is empty")
    text = _Text(place, form, most_bytes, head, is_packed=is_packed)
    return Parts([(name, None) for name in text.header], text.parts)


def _opened(place: str, is_packed: bool) -> BinaryIO:
    return gzip.open(place, "rb") if is_packed else open(place, "rb")  # type: ignore[return-value]


def _read(file: BinaryIO, size: int) -> bytes:
    try:
        return file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise TableError("it is said to be packed by gzip, and is not, or not whole") from None


class _Text:
    def __init__(self, place: str, form: str, most_bytes: int, head: bytes, *, is_packed: bool) -> None:
        self._place, self._form, self._most, self._is_packed = place, form, most_bytes, is_packed
        self._size = os.stat(place).st_size
        self._line_count = self._byte_count = 0
        first = head.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in head:
            raise TableError("it is no text that is read: UTF-16, or bytes that are none")
        self._delimiter = "\t" if form == "tsv" else _delimiter(first.split(b"\n", 1)[0])
        self.header = self._header(first.decode("utf-8", "replace"))
        self._width = len(self.header)

    def _header(self, text: str) -> list[str]:
        if self._form == "jsonl":
            names: dict[str, None] = {}
            for line in text.splitlines()[:_ROWS]:
                names.update(dict.fromkeys(_object(line) or ()))
            if not names:
                raise TableError("its first lines are no JSON objects")
            return list(names)[:_MOST_COLUMNS]
        try:
            row = next(csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter), [])
        except csv.Error as error:
            raise TableError(f"its first line is no header: {error}") from None
        if not row:
            raise TableError("its first line is empty")
        return unique(row[:_MOST_COLUMNS])

    def parts(self, told: Parts) -> Iterator[Part]:
        is_large = self._size > self._most and not self._is_packed
        odd = read = 0
        for text in self._blocks(told) if is_large else self._whole(told):
            for rows, wrong in self._rows(text):
                odd += wrong
                if rows:
                    read += len(rows)
                    yield Part(list(zip(*rows, strict=True)), len(rows))
        if is_large and self._byte_count:
            told.is_whole = False
            told.row_count = max(read, round(read * self._size / self._byte_count))
            told.note(f"{size_words(self._byte_count)} of {size_words(self._size)} were read, spread evenly")
        if odd:
            told.note(f"{counted(odd, 'row')} of another width, or no JSON object, left out")

    def _whole(self, told: Parts) -> Iterator[str]:
        """Yield the text in pieces that end at a row's end; of a packed file no more than is to be read."""
        with _opened(self._place, self._is_packed) as file:
            left, is_first = b"", True
            while content := _read(file, _BLOCK_BYTES):
                self._byte_count += len(content)
                told.share = None if self._is_packed else self._byte_count / self._size
                left += content
                end = _row_end(left, self._form)
                if end:
                    yield self._after_header(_decoded(left[:end], told), is_first)
                    left, is_first = left[end:], False
                if self._is_packed and self._byte_count >= self._most:
                    told.is_whole = False
                    told.note(f"the first {size_words(self._byte_count)} of what is packed were read")
                    return
                if len(left) > _LONGEST_LINE:
                    raise TableError(f"a row of it is longer than {size_words(_LONGEST_LINE)}")
            if left:
                yield self._after_header(_decoded(left, told), is_first)

    def _blocks(self, told: Parts) -> Iterator[str]:
        """Yield blocks spread evenly over the file, each cut to whole lines."""
        count = max(2, self._most // _BLOCK_BYTES)
        with open(self._place, "rb") as file:
            for number in range(count):
                start = round(number * (self._size - _BLOCK_BYTES) / (count - 1))
                file.seek(start)
                content = file.read(_BLOCK_BYTES)
                begin = 0 if start == 0 else content.find(b"\n") + 1
                end = content.rfind(b"\n") + 1
                if end > begin:
                    self._byte_count += end - begin
                    told.share = self._byte_count / self._size
                    yield self._after_header(content[begin:end].decode("utf-8", "replace"), start == 0)

    def _after_header(self, text: str, is_first: bool) -> str:
        """Return text without its first row where that is the header."""
        if not is_first:
            return text
        text = text.removeprefix("\ufeff")
        if self._form == "jsonl":
            return text
        stream = io.StringIO(text, newline="")
        next(csv.reader(stream, delimiter=self._delimiter), None)
        return text[stream.tell() :]

    def _rows(self, text: str) -> Iterator[tuple[list[tuple[str | None, ...]], int]]:
        """Yield rows as wide as the header, and how many were not."""
        source = self._objects(text) if self._form == "jsonl" else self._lines(text)
        rows: list[tuple[str | None, ...]] = []
        odd = 0
        for row in source:
            if row is None:
                odd += 1
            else:
                rows.append(row)
            if len(rows) >= _ROWS:
                yield rows, odd
                rows, odd = [], 0
        yield rows, odd

    def _lines(self, text: str) -> Iterator[tuple[str | None, ...] | None]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield None
                continue
            if row:
                yield tuple(cell[:_LONGEST_CELL] for cell in row) if len(row) == self._width else None

    def _objects(self, text: str) -> Iterator[tuple[str | None, ...] | None]:
        for line in text.splitlines():
            if line.strip():
                row = _object(line)
                yield None if row is None else tuple(_word(row.get(name)) for name in self.header)


def _row_end(content: bytes, form: str) -> int:
    """Return where the last whole row ends, at a line's end outside of quotations; 0: nowhere yet."""
    end = content.rfind(b"\n") + 1
    last = end
    quotes = content.count(b'"', 0, end) if form != "jsonl" else 0
    while end and quotes % 2:
        before = content.rfind(b"\n", 0, end - 1) + 1
        quotes -= content.count(b'"', before, end)
        end = before
    # A sign of inches that nothing ends is no quotation
    return last if end == 0 and len(content) > _LONGEST_LINE else end


def _decoded(content: bytes, told: Parts) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        told.note("it is not all UTF-8: signs that are none are shown as \ufffd")
        return content.decode("utf-8", "replace")


def _delimiter(first: bytes) -> str:
    return max(",;\t|", key=lambda sign: first.count(sign.encode()))


def _object(line: str) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _word(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value[:_LONGEST_CELL]
    if isinstance(value, int | float):
        return repr(value)[:_LONGEST_CELL]
    return json.dumps(value, ensure_ascii=False)[:_LONGEST_CELL]
