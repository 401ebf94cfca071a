"""Looking through a dataset's content: which columns it has and how their values are spread.

`python -I -m lockgate.data.profiling`, asked on stdin with a `Look` as JSON, answers a `Profile` as JSON. It
is a process of its own, with limits: what a member's code made may be broken on purpose.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence

import msgspec

from lockgate.data.column_count import ColumnCount
from lockgate.data.profile import Ending, Profile
from lockgate.data.table_parts import Parts, TableError, open_text
from lockgate.project.quantities import counted

#: Endings → format. What is packed by gzip is read from its beginning only.
FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
#: A file up to this is read whole; of a larger one so much, in parts spread evenly.
READ_BYTES = 8_000_000
#: Of a folder so many files, spread evenly.
READ_FILES = 16
MOST_CELLS = 2_000_000
MOST_COLUMNS = 200
PATIENCE_S = 120.0
_MEMORY_BYTES = 3 << 30
_CPU_S = 90
_ENDINGS = 20


class LookFile(msgspec.Struct, frozen=True):
    """A file to look at: where its bytes lie, what it is called."""

    place: str
    name: str
    size_bytes: int


class Look(msgspec.Struct, frozen=True):
    """What is to be looked at; `is_folder`: as the files of one folder."""

    files: tuple[LookFile, ...]
    is_folder: bool = False


def format_of(name: str) -> str:
    """Return the table's format by a file's name; empty: it is no table that is read."""
    stem = name.lower().removesuffix(".gz")
    ending = os.path.splitext(stem)[1]
    found = FORMATS.get(ending, "")
    return "" if found == "parquet" and name.lower().endswith(".gz") else found


def profile_apart(look: Look) -> Profile:
    """Look in a process of its own, which may fail without harm: then `problem` says so."""
    words = [sys.executable, "-I", "-m", "lockgate.data.profiling"]
    try:
        done = subprocess.run(
            words, input=msgspec.json.encode(look), capture_output=True, timeout=PATIENCE_S, check=False
        )
        return msgspec.json.decode(done.stdout, type=Profile)
    except subprocess.TimeoutExpired:
        return Profile(problem=f"looking through it takes more than {PATIENCE_S:.0f} s")
    except (OSError, msgspec.DecodeError):
        return Profile(problem="it cannot be read within the limits of memory and time, or is broken")


def profile(look: Look) -> Profile:
    """Return what a file, or the tables of a folder, look like. Raises `OSError`."""
    endings = endings_of(look.files) if look.is_folder else ()
    tables = _tables(look)
    if not tables:
        return Profile(endings=endings)
    form = format_of(tables[0].name)
    chosen = spread(tables, READ_FILES)
    counts = _Counts(form, READ_BYTES // len(chosen), MOST_CELLS // len(chosen))
    for file in chosen:
        counts.take(file)
    if len(chosen) < len(tables):
        counts.notes.insert(0, f"{len(chosen)} of {counted(len(tables), 'file')} were read")
        counts.is_whole = False
    return msgspec.structs.replace(
        counts.result(len(tables) / len(chosen)),
        endings=endings,
        read=tuple(file.name for file in chosen) if look.is_folder else (),
    )


def _tables(look: Look) -> list[LookFile]:
    """Return the files of the format that most of the tables have, by name."""
    by_format: dict[str, list[LookFile]] = {}
    for file in look.files:
        if form := format_of(file.name):
            by_format.setdefault(form, []).append(file)
    most: list[LookFile] = []
    for files in by_format.values():
        most = files if len(files) > len(most) else most
    return sorted(most, key=lambda file: file.name)


def spread(items: Sequence[LookFile], most: int) -> list[LookFile]:
    """Return at most so many, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(at * (len(items) - 1) / (most - 1))] for at in range(most)]


def endings_of(files: Iterable[LookFile]) -> tuple[Ending, ...]:
    """Return how the files of a folder end, those that take most first."""
    found: dict[str, tuple[int, int]] = {}
    for file in files:
        ending = os.path.splitext(file.name)[1].lower()[:20]
        count, size = found.get(ending, (0, 0))
        found[ending] = count + 1, size + file.size_bytes
    ordered = sorted(found.items(), key=lambda each: (-each[1][1], each[0]))
    return tuple(Ending(name, *sums) for name, sums in ordered[:_ENDINGS])


class _Counts:
    """The columns of one table, of one file or several."""

    def __init__(self, form: str, bytes_each: int, cells_each: int) -> None:
        self.notes: list[str] = []
        self.is_whole = True
        self._form = form
        self._bytes_each = bytes_each
        self._cells_each = cells_each
        self._columns: dict[str, ColumnCount] = {}
        self._rows = self._all_rows = 0.0
        self._read_rows = 0
        self._column_count = 0
        self._problem = ""

    def take(self, file: LookFile) -> None:
        try:
            parts = open_parts(file, self._form, self._bytes_each)
            read = self._read(parts)
        except TableError as problem:
            self._problem = self._problem or problem.words
            self.is_whole = False
            return
        self._read_rows += read
        self._all_rows += parts.row_count if parts.row_count is not None else read
        for note in parts.notes:
            if note not in self.notes:
                self.notes.append(note)

    def _read(self, parts: Parts) -> int:
        self._column_count = max(self._column_count, len(parts.header))
        columns = [self._column(name, kind) for name, kind in parts.header[:MOST_COLUMNS]]
        most = self._cells_each // max(1, len(columns))
        read = 0
        for part in parts.parts():
            for column, values in zip(columns, part.columns, strict=False):
                column.take(values)
            read += part.row_count
            if read >= most:
                parts.stop(read)
                break
        self.is_whole = self.is_whole and parts.is_whole
        return read

    def _column(self, name: str, kind: object) -> ColumnCount:
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = ColumnCount(name, kind)  # type: ignore[arg-type]
        return found

    def result(self, times: float) -> Profile:
        if self._problem and not self._columns:
            return Profile(format=self._form, problem=self._problem)
        notes = [*self.notes, *([self._problem] if self._problem else [])]
        return Profile(
            format=self._form,
            row_count=round(self._all_rows * times),
            is_row_count_exact=self.is_whole,
            read_row_count=self._read_rows,
            columns=tuple(column.result() for column in self._columns.values()),
            column_count=max(self._column_count, len(self._columns)),
            notes=tuple(notes),
        )


def open_parts(file: LookFile, form: str, most_bytes: int) -> Parts:
    """Open a table. Raises `TableError`."""
    if form == "parquet":
        from lockgate.data.parquet_parts import open_parquet  # noqa: PLC0415  (an extra)

        return open_parquet(file.place)
    return open_text(file.place, form, most_bytes, is_packed=file.name.lower().endswith(".gz"))


def main() -> int:
    """Answer what is asked on stdin; return the exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)
    look = msgspec.json.decode(sys.stdin.buffer.read(), type=Look)
    try:
        found = profile(look)
    except MemoryError:
        found = Profile(problem="looking through it takes too much memory")
    except OSError as error:
        found = Profile(problem=f"it cannot be read: {error.strerror or error}")
    sys.stdout.buffer.write(msgspec.json.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
