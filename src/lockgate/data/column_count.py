"""Counting a column's values part by part, in memory that does not grow with them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from heapq import heapify, heappushpop
from random import Random
from statistics import quantiles

from msgspec.structs import replace

from lockgate.data.profile import Column, Kind

#: What pandas takes for no value: na_values of
#: https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html
NULLS = frozenset(
    ("", " ", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
     "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
)  # fmt: skip
LONGEST_SHOWN = 100
BARS = 20
_KEPT = 5_000
_COUNTED = 1_000
_TOLD = 8
#: How many different values there are is estimated from the k smallest digests, with an error of about
#: 1/sqrt(k - 2). Bar-Yossef et al., "Counting distinct elements in a data stream", RANDOM 2002.
_SMALLEST = 1_024
_SPACE = float(1 << 64)
#: The longest number that is taken for one; longer ones are names of things.
_DIGITS = 18

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_INTEGERS = re.compile(rf"{_INTEGER.pattern}(?:\n{_INTEGER.pattern})*+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_TRUTHS = frozenset({"true", "false", "True", "False", "TRUE", "FALSE"})
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?:Z|[-+][0-9]{2}:?[0-9]{2})?"
)


class ColumnCount:
    """One column. `kind`: what its format says it is; None: its values tell."""

    def __init__(self, name: str, kind: Kind | None = None) -> None:
        self.name = name
        self._told = kind
        self._kinds: set[Kind] = set()
        self._count = self._nulls = 0
        self._mean = self._squares = 0.0
        self._numbers = 0
        self._least, self._largest = math.inf, -math.inf
        self._least_word = self._largest_word = ""
        self._least_text = self._largest_text = ""
        self._kept: list[str] = []
        self._common: Counter[str] | None = Counter()
        self._smallest: list[int] = []
        self._known: set[int] = set()
        # The same column gives the same profile
        self._chance = Random(f"lockgate {name}")

    def take(self, values: Sequence[str | None]) -> None:
        """Count some more values; None and what `NULLS` names is no value."""
        there = [value for value in values if value is not None and value not in NULLS]
        self._nulls += len(values) - len(there)
        if not there:
            return
        different = Counter(there)
        self._learn_kind(different)
        self._learn_different(different)
        self._keep(there)
        self._count += len(there)
        least, largest = min(different), max(different)
        self._least_text = least if not self._least_text else min(self._least_text, least)
        self._largest_text = max(self._largest_text, largest)
        if self._is_numeric():
            self._add_numbers(there)

    def _learn_kind(self, different: Counter[str]) -> None:
        if self._told is not None:
            self._kinds.add(self._told)
            return
        if self._kinds == {"text"} or (self._kinds == {"integer"} and _all_integers(different)):
            return
        for value in different:
            kind = _kind_of(value)
            if kind == "text":
                self._kinds = {"text"}
                return
            self._kinds.add(kind)

    def _is_numeric(self) -> bool:
        return self._kinds <= {"integer", "number"}

    def _learn_different(self, different: Counter[str]) -> None:
        for value in different:
            digest = int.from_bytes(blake2b(value.encode("utf-8", "replace"), digest_size=8).digest(), "big")
            if digest in self._known:
                continue
            if len(self._smallest) < _SMALLEST:
                self._known.add(digest)
                self._smallest.append(-digest)
                if len(self._smallest) == _SMALLEST:
                    heapify(self._smallest)
            elif digest < -self._smallest[0]:
                self._known.add(digest)
                self._known.discard(-heappushpop(self._smallest, -digest))
        if self._common is not None:
            self._common.update(different)
            if len(self._common) > _COUNTED:
                self._common = None

    def _keep(self, there: Sequence[str]) -> None:
        """Keep a fair sample: Vitter's algorithm R, ACM TOMS 11 (1985)."""
        room = _KEPT - len(self._kept)
        self._kept += there[:room] if room > 0 else []
        if len(there) <= max(room, 0):
            return
        for number, value in enumerate(there[max(room, 0) :], start=self._count + max(room, 0) + 1):
            place = int(self._chance.random() * number)
            if place < _KEPT:
                self._kept[place] = value

    def _add_numbers(self, there: Sequence[str]) -> None:
        values = list(map(float, there))
        if not all(map(math.isfinite, values)):
            there = [word for word, value in zip(there, values, strict=True) if math.isfinite(value)]
            values = list(map(float, there))
        if not values:
            return
        # Two parts' means and squares are put together as in Chan, Golub, LeVeque, "Algorithms for computing
        # the sample variance", The American Statistician 37 (1983)
        count, mean = len(values), math.fsum(values) / len(values)
        squares = math.fsum((value - mean) ** 2 for value in values)
        whole, step = self._numbers + count, mean - self._mean
        self._squares += squares + step * step * self._numbers * count / whole
        self._mean += step * count / whole
        self._numbers = whole
        least, largest = min(values), max(values)
        if least < self._least:
            self._least, self._least_word = least, there[values.index(least)]
        if largest > self._largest:
            self._largest, self._largest_word = largest, there[values.index(largest)]

    def result(self) -> Column:
        """Return what was counted."""
        kind = self._kind()
        column = Column(
            name=self.name,
            kind=kind,
            null_count=self._nulls,
            distinct_count=self._distinct(),
            is_distinct_exact=len(self._smallest) < _SMALLEST,
            least=self._least_text[:LONGEST_SHOWN],
            largest=self._largest_text[:LONGEST_SHOWN],
            common=self._most_common(),
        )
        if kind in ("integer", "number") and self._numbers:
            return self._with_numbers(column)
        if kind in ("day", "moment"):
            return self._with_times(column)
        return column

    def _kind(self) -> Kind:
        if not self._kinds:
            return self._told or "empty"
        if len(self._kinds) == 1:
            return next(iter(self._kinds))
        if self._is_numeric():
            return "number"
        return "moment" if self._kinds == {"day", "moment"} else "text"

    def _distinct(self) -> int:
        if len(self._smallest) < _SMALLEST:
            return len(self._smallest)
        return min(self._count, round((_SMALLEST - 1) * _SPACE / -self._smallest[0]))

    def _most_common(self) -> tuple[tuple[str, int], ...]:
        if self._common is None or (self._count > 2 * _TOLD and len(self._common) > self._count / 2):
            return ()
        ordered = sorted(self._common.items(), key=lambda each: (-each[1], each[0]))
        return tuple((value[:LONGEST_SHOWN], count) for value, count in ordered[:_TOLD])

    def _with_numbers(self, column: Column) -> Column:
        kept = sorted(value for value in map(float, self._kept) if math.isfinite(value))
        low, high = self._least, self._largest
        deviation = math.sqrt(max(0.0, self._squares) / (self._numbers - 1)) if self._numbers > 1 else None
        return replace(
            column,
            least=self._least_word[:LONGEST_SHOWN],
            largest=self._largest_word[:LONGEST_SHOWN],
            mean=_finite(self._mean),
            deviation=_finite(deviation),
            quartiles=_quartiles(kept),
            bars=_bars(kept, low, high),
            low=low,
            high=high,
        )

    def _with_times(self, column: Column) -> Column:
        times = sorted(at for at in map(_seconds, self._kept) if at is not None)
        if not times:
            return column
        low, high = times[0], times[-1]
        for at in map(_seconds, (self._least_text, self._largest_text)):
            if at is not None:
                low, high = min(low, at), max(high, at)
        return replace(column, bars=_bars(times, low, high), low=low, high=high)


def _all_integers(different: Iterable[str]) -> bool:
    """Return whether all are integers: one look at many words is faster than many at one."""
    return _INTEGERS.fullmatch("\n".join(different)) is not None


def _kind_of(value: str) -> Kind:
    if _INTEGER.fullmatch(value):
        return "integer"
    if _NUMBER.fullmatch(value):
        # Leading zeros are those of a code, as a postal one
        has_zeros = value.lstrip("+-")[:2].isdigit() and value.lstrip("+-").startswith("0")
        return "text" if has_zeros or len(value) > 3 * _DIGITS or value.isdigit() else "number"
    if value in _TRUTHS:
        return "boolean"
    if _DAY.fullmatch(value):
        return "day" if _seconds(value) is not None else "text"
    if _MOMENT.fullmatch(value):
        return "moment" if _seconds(value) is not None else "text"
    return "text"


def _seconds(value: str) -> float | None:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _quartiles(ordered: Sequence[float]) -> tuple[float, float, float] | None:
    if len(ordered) < 2:
        return (ordered[0], ordered[0], ordered[0]) if ordered else None
    first, second, third = quantiles(ordered, n=4, method="inclusive")
    return (first, second, third)


def _bars(ordered: Sequence[float], low: float, high: float) -> tuple[int, ...]:
    span = high - low
    if not ordered or not math.isfinite(span):
        return ()
    if span <= 0:
        return (len(ordered),)
    bars = [0] * BARS
    for value in ordered:
        bars[min(BARS - 1, int((value - low) / span * BARS))] += 1
    return tuple(bars)
