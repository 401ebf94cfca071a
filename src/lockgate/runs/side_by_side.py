"""Two or more runs side by side, value by value and path by path. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lockgate.runs.natural_order import natural_key
from lockgate.runs.record import Artifact, StageRecord


class Cell(msgspec.Struct, frozen=True):
    """One run's value; `difference` and `relative` are to the first run's, for numbers."""

    value: float | int | str | None
    difference: float | None = None
    relative: float | None = None


class Row(msgspec.Struct, frozen=True):
    name: str
    cells: tuple[Cell, ...]

    @property
    def is_same(self) -> bool:
        return all(cell.value == self.cells[0].value for cell in self.cells)


class MadeRow(msgspec.Struct, frozen=True):
    """One path that runs made; None: this run did not."""

    path: str
    kind: str
    artifacts: tuple[Artifact | None, ...]

    @property
    def is_same(self) -> bool:
        made = {(artifact.md5, artifact.size_bytes) if artifact else None for artifact in self.artifacts}
        return len(made) == 1


def parameters_of(
    records: Mapping[str, StageRecord], asked: Mapping[str, str]
) -> dict[str, float | int | str]:
    """Return what a run's stages took and what it was asked with; one name's several values joined."""
    found: dict[str, list[float | int | str]] = {}
    for stage in sorted(records, key=natural_key):
        for name, value in records[stage].params.items():
            values = found.setdefault(name, [])
            if value not in values:
                values.append(value)
    joined: dict[str, float | int | str] = {
        name: values[0] if len(values) == 1 else ", ".join(str(value) for value in values)
        for name, values in found.items()
    }
    return {**asked, **joined}


def rows_of(sides: Sequence[Mapping[str, float | int | str]]) -> tuple[Row, ...]:
    """Return a row for each name that any side has: those that differ first, then by name, 9 before 10."""
    names = sorted({name for side in sides for name in side}, key=natural_key)
    rows = [Row(name, _cells([side.get(name) for side in sides])) for name in names]
    return tuple(sorted(rows, key=lambda row: row.is_same))


def made_rows(sides: Sequence[Iterable[Artifact]]) -> tuple[MadeRow, ...]:
    """Return a row for each path that any run made: those that differ first, then by path, 9 before 10."""
    by_path = [{artifact.path: artifact for artifact in side} for side in sides]
    paths = sorted({path for side in by_path for path in side}, key=natural_key)
    rows = [
        MadeRow(
            path,
            next(side[path].kind for side in by_path if path in side),
            tuple(s.get(path) for s in by_path),
        )
        for path in paths
    ]
    return tuple(sorted(rows, key=lambda row: row.is_same))


def _cells(values: Sequence[float | int | str | None]) -> tuple[Cell, ...]:
    first = values[0]
    cells = [Cell(first)]
    for value in values[1:]:
        if isinstance(first, int | float) and isinstance(value, int | float):
            difference = float(value) - float(first)
            cells.append(Cell(value, difference, difference / abs(first) if first else None))
        else:
            cells.append(Cell(value))
    return tuple(cells)
