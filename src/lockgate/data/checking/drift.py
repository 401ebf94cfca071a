"""How far a column's distribution has moved since the last accepted version: the population stability index.

PSI = Σ (a - e) · ln(a / e) over ten bins of equal share in the accepted version (e), a: the share now
(Siddiqi, Credit Risk Scorecards, Wiley 2006, who calls up to 0.1 no change and from 0.25 on a major one).
By chance alone it is (bins - 1) · (1/n + 1/m) in the mean for n and m rows (Yurdakul and Naranjo,
Statistical properties of the population stability index, Journal of Risk Model Validation 14, 2020): so much
is taken off.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import polars as pl

BINS = 10
#: Categories told apart; the rest are one.
MOST_CATEGORIES = 50
#: A share of none stands as this one, or its logarithm would be infinite.
_LEAST_SHARE = 1e-4
#: Of more rows a sample is looked at, always the same for the same number of rows.
MOST_SAMPLED = 400_000
#: 2^64 divided by the golden ratio: its multiples spread evenly (Knuth, TAOCP 3, section 6.4).
SPREAD = 0x9E3779B97F4A7C15

Profile = dict[str, Any]


class Sample:
    """Some rows of a table, spread evenly over it, of any table at most `MOST_SAMPLED`."""

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        self._halvings = 0
        self._kept: list[pl.DataFrame] = []
        self._count = 0

    def add(self, batch: pl.DataFrame, offset: int) -> None:
        """Take a batch whose first row is number `offset`, counted from 0."""
        rows = pl.int_range(offset, offset + batch.height, dtype=pl.UInt64, eager=True)
        kept = self._thinned(batch.select(self._columns).with_columns(rows.alias("\0row")))
        self._kept.append(kept)
        self._count += kept.height
        while self._count > MOST_SAMPLED:
            self._halvings += 1
            self._kept = [self._thinned(each) for each in self._kept]
            self._count = sum(each.height for each in self._kept)

    def _thinned(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._halvings == 0:
            return frame
        spread = pl.col("\0row") * pl.lit(SPREAD, pl.UInt64)
        return frame.filter(spread < pl.lit(2 ** (64 - self._halvings), pl.UInt64))

    def column(self, name: str) -> pl.Series:
        """Return the sampled values of a column."""
        return pl.concat([each[name] for each in self._kept])


def profile_of(values: pl.Series) -> Profile:
    """Return what is kept of a version's column, to compare the next one with."""
    present = values.drop_nulls()
    missing = round(1 - present.len() / max(1, values.len()), 6)
    about = {"sampled": values.len(), "missing": missing}
    if _is_ordered(values.dtype):
        numbers = _numbers(present)
        cuts = [numbers.quantile(at / BINS, "nearest") for at in range(1, BINS)] if present.len() else []
        edges = sorted({float(cut) for cut in cuts if cut is not None})
        return {"kind": "number", **about, "edges": edges, "shares": _shares(numbers, edges)}
    counts = present.cast(pl.String).value_counts().sort(["count", values.name], descending=[True, False])
    named = counts.head(MOST_CATEGORIES)
    shares = {
        str(value): round(count / max(1, present.len()), 6)
        for value, count in zip(named[values.name], named["count"], strict=True)
    }
    return {"kind": "category", **about, "shares": shares}


def psi(accepted: Profile, values: pl.Series) -> float | None:
    """Return how far values have moved from an accepted version; None: the two cannot be compared."""
    is_number = _is_ordered(values.dtype)
    if is_number != (accepted["kind"] == "number") or not values.len() or not accepted["sampled"]:
        return None
    present = values.drop_nulls()
    if is_number:
        before = {str(bin_): share for bin_, share in enumerate(accepted["shares"])}
        shares = _shares(_numbers(present), accepted["edges"])
        now = {str(bin_): share for bin_, share in enumerate(shares)}
    else:
        before = dict(accepted["shares"])
        counts = present.cast(pl.String).value_counts()
        pairs = zip(counts[values.name], counts["count"], strict=True)
        now = {value: count / max(1, present.len()) for value, count in pairs if value in before}
        before["\0other"] = max(0.0, 1 - sum(before.values()))
        now["\0other"] = max(0.0, 1 - sum(now.values()))
    lacked: float = accepted["missing"]
    expected = [lacked] + [share * (1 - lacked) for share in before.values()]
    missing = 1 - present.len() / values.len()
    actual = [missing] + [now.get(key, 0.0) * (1 - missing) for key in before]
    index = 0.0
    bins = 0
    for was, is_now in zip(expected, actual, strict=True):
        if was == 0 and is_now == 0:
            continue
        bins += 1
        e, a = max(was, _LEAST_SHARE), max(is_now, _LEAST_SHARE)
        index += (a - e) * math.log(a / e)
    by_chance: float = max(0, bins - 1) * (1 / values.len() + 1 / accepted["sampled"])
    return round(max(0.0, index - by_chance), 4)


def _is_ordered(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal()


def _numbers(values: pl.Series) -> pl.Series:
    return (values.to_physical() if values.dtype.is_temporal() else values).cast(pl.Float64)


def _shares(numbers: pl.Series, edges: list[float]) -> list[float]:
    """Return the share of numbers up to each edge and above the one before; the last: above all."""
    total = max(1, numbers.len())
    below = [int((numbers <= edge).sum()) for edge in edges]
    return [round((upper - lower) / total, 6) for lower, upper in pairwise([0, *below, numbers.len()])]
