"""A run's parameters and metrics as the runs table shows them, packed into one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lockgate.hub.search.reading import Value


class Sheet(msgspec.Struct, frozen=True, omit_defaults=True):
    """By name; several values of a matrix are joined by commas."""

    params: dict[str, float | str] = {}
    metrics: dict[str, float | str] = {}


NOTHING = Sheet()
pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(Sheet).decode


def sheet_of(values: Sequence[Value]) -> Sheet:
    """Return what is shown of these values, by name."""
    kinds: dict[str, dict[str, list[float | str]]] = {"param": {}, "metric": {}}
    for each in sorted(values, key=lambda value: value.name):
        shown = each.word if each.word is not None else each.value if each.value is not None else ""
        kinds[each.kind].setdefault(each.name, []).append(shown)
    return Sheet(*({name: _joined(found) for name, found in own.items()} for own in kinds.values()))


def in_words(value: float | str | None) -> str:
    """Return a value as it is written in a table: whole numbers without a point."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "" if value is None else str(value)


def _joined(values: list[float | str]) -> float | str:
    return values[0] if len(values) == 1 else ", ".join(in_words(value) for value in values)
