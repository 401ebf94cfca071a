"""Read a bounded part of a Parquet file.

`python -I -m lockgate.hub.showing.parquet_reader FILE`, asked on stdin. It is a process of its own, with
limits on memory and time: a file that a member's code made may be broken on purpose, and pyarrow reads it in
C++. It answers one JSON document on stdout. Format: https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

#: So much of a table is ever told.
COLUMNS_AT_MOST = 200
CELL_AT_MOST = 500
#: A table with more rows is shown in its own order only.
SORTED_AT_MOST = 5_000_000
#: More cells are not told at once.
CELLS_AT_MOST = 1_000_000
_ANSWER_BYTES = 50_000_000
_MEMORY_BYTES = 3 << 30
_CPU_S = 20
_BATCH_ROWS = 4096


class Question(msgspec.Struct, frozen=True):
    """`count` rows from `start` on; `sort`: the number of the column they are ordered by first."""

    start: int
    count: int
    sort: int | None = None
    is_descending: bool = False


class Answer(msgspec.Struct, frozen=True):
    """Cells as words; `problem`: why there are none."""

    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    numeric: tuple[bool, ...] = ()
    total: int = 0
    is_sorted: bool = False
    problem: str = ""


def answer(file: pq.ParquetFile, asked: Question) -> Answer:
    """Return the rows asked for; of a file in row groups only those are read that hold them."""
    import pyarrow.types as kinds  # noqa: PLC0415  (an extra)

    fields = list(file.schema_arrow)[:COLUMNS_AT_MOST]
    total = file.metadata.num_rows
    if min(asked.count, total) * len(fields) > CELLS_AT_MOST:
        return Answer(problem=f"it has more than {CELLS_AT_MOST:,} cells", total=total)
    start = max(0, min(asked.start, total - 1))
    wanted: list[int] = list(range(start, min(start + asked.count, total)))
    is_sorted = asked.sort is not None and asked.sort < len(fields) and total <= SORTED_AT_MOST
    if is_sorted and asked.sort is not None:
        wanted = _ordered(file, asked.sort, start, asked.count, is_descending=asked.is_descending)
    found = _rows(file, wanted, len(fields))
    return Answer(
        header=tuple(field.name[:CELL_AT_MOST] for field in fields),
        rows=tuple(found[number] for number in wanted),
        numeric=tuple(
            kinds.is_integer(field.type) or kinds.is_floating(field.type) or kinds.is_decimal(field.type)
            for field in fields
        ),
        total=total,
        is_sorted=is_sorted,
    )


def _ordered(file: pq.ParquetFile, column: int, start: int, count: int, *, is_descending: bool) -> list[int]:
    """Return the numbers of rows as a column orders them; where it cannot be ordered, its words do."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    table = pa.Table.from_batches(
        [batch.select([0]) for batch in _batches(file, range(file.num_row_groups), [column])]
    )
    values = table.column(0)
    order = "descending" if is_descending else "ascending"
    try:
        places = pc.sort_indices(values, sort_keys=[("", order)])
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError, pa.ArrowInvalid):
        places = pc.sort_indices(
            pa.array([_word(value.as_py()) for value in values]), sort_keys=[("", order)]
        )
    numbers: list[int] = places.slice(start, count).to_pylist()
    return numbers


def _rows(file: pq.ParquetFile, wanted: list[int], width: int) -> dict[int, tuple[str, ...]]:
    """Return rows by their numbers."""
    left = sorted(wanted)
    found: dict[int, tuple[str, ...]] = {}
    first = 0
    for group in range(file.num_row_groups):
        end = first + file.metadata.row_group(group).num_rows
        inside = [number for number in left if first <= number < end]
        if inside:
            found.update(_rows_of_group(file, group, {number - first: number for number in inside}, width))
        first = end
    return found


def _rows_of_group(
    file: pq.ParquetFile, group: int, wanted: dict[int, int], width: int
) -> Iterator[tuple[int, tuple[str, ...]]]:
    first, last = 0, max(wanted)
    for batch in _batches(file, [group], range(width)):
        for place in [place for place in wanted if first <= place < first + batch.num_rows]:
            row = batch.slice(place - first, 1)
            yield wanted[place], tuple(_word(column[0].as_py()) for column in row.columns[:width])
        first += batch.num_rows
        if first > last:
            return


def _batches(file: pq.ParquetFile, groups: Any, columns: Any) -> Iterator[pa.RecordBatch]:
    names = [file.schema_arrow.field(number).name for number in columns]
    return file.iter_batches(_BATCH_ROWS, row_groups=list(groups), columns=names, use_threads=False)  # type: ignore[no-any-return]


def _word(value: object) -> str:
    return "" if value is None else str(value)[:CELL_AT_MOST]


def main(arguments: list[str]) -> int:
    """Answer the question on stdin about the file named; return the exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    try:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        told = Answer(problem="the hub has no pyarrow: pip install 'lockgate[parquet]'")
    else:
        pa.set_cpu_count(1)
        try:
            with pq.ParquetFile(arguments[0]) as file:
                told = answer(file, asked)
        except (pa.ArrowException, OSError, ValueError, LookupError, OverflowError) as error:
            told = Answer(problem=f"it is no Parquet file that can be read: {str(error)[:200]}")
        except MemoryError:
            told = Answer(problem="reading it takes too much memory")
    content = msgspec.json.encode(told)
    if len(content) > _ANSWER_BYTES:
        content = msgspec.json.encode(Answer(problem="its cells hold too much to be shown", total=told.total))
    sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
