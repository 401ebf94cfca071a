"""A Parquet file's rows in parts, of some of its row groups where they are many. Needs pyarrow, an extra."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lockgate.data.profile import Kind
from lockgate.data.table_parts import Part, Parts, TableError, unique
from lockgate.project.quantities import counted

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS = 4_096
_GROUPS = 32
_MOST_ROWS = 200_000
_MOST_COLUMNS = 200
_LONGEST_CELL = 1_000


def open_parquet(place: str) -> Parts:
    """Open it. Raises `TableError`."""
    try:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise TableError(
            "Parquet is read by pyarrow, which is not here: pip install 'lockgate[parquet]'"
        ) from None
    pa.set_cpu_count(1)
    try:
        file = pq.ParquetFile(place)
        fields = list(file.schema_arrow)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(f"it is no Parquet file that can be read: {str(error)[:200]}") from None
    names = unique([field.name for field in fields])
    header = [(name, _kind(field.type)) for name, field in zip(names, fields, strict=True)]
    return Parts(header, lambda told: _parts(file, told), file.metadata.num_rows)


def _kind(type_: pa.DataType) -> Kind:
    import pyarrow.types as kinds  # noqa: PLC0415

    tests: tuple[tuple[Any, Kind], ...] = (
        (kinds.is_boolean, "boolean"),
        (kinds.is_integer, "integer"),
        (kinds.is_floating, "number"),
        (kinds.is_decimal, "number"),
        (kinds.is_date, "day"),
        (kinds.is_timestamp, "moment"),
        (kinds.is_string, "text"),
        (kinds.is_large_string, "text"),
        (kinds.is_null, "empty"),
    )
    if kinds.is_dictionary(type_):
        return _kind(type_.value_type)
    return next((kind for test, kind in tests if test(type_)), "other")


def _parts(file: pq.ParquetFile, told: Parts) -> Iterator[Part]:
    import pyarrow as pa  # noqa: PLC0415

    groups = list(range(file.num_row_groups))
    if file.metadata.num_rows > _MOST_ROWS and len(groups) > 1:
        step = max(1, len(groups) // _GROUPS)
        groups = groups[::step]
    most = max(_ROWS, _MOST_ROWS // max(1, len(groups)))
    read = 0
    try:
        for group in groups:
            in_group = 0
            for batch in file.iter_batches(_ROWS, row_groups=[group], use_threads=False):
                columns = [
                    [_word(value) for value in column.to_pylist()] for column in batch.columns[:_MOST_COLUMNS]
                ]
                yield Part(columns, batch.num_rows)
                in_group += batch.num_rows
                if in_group >= most:
                    break
            read += in_group
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise TableError(f"it is no Parquet file that can be read: {str(error)[:200]}") from None
    if read < file.metadata.num_rows:
        told.note(f"{counted(read, 'row')} of {counted(len(groups), 'row group')}, spread evenly, were read")


def _word(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value)[:_LONGEST_CELL]
