"""How a column's values are spread, as a small SVG: bars over the span of numbers and days, or of words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from lockgate.data.profile import Column
from lockgate.web.words import number

_WIDTH, _HEIGHT = 144, 36
_LEAST = 1.5


def draw(column: Column) -> Markup:
    """Return the bars; nothing where there is nothing to be drawn."""
    heights = [float(count) for count in column.bars] or [float(count) for _, count in column.common]
    if not any(heights):
        return Markup("")
    largest = max(heights)
    step = min(_WIDTH / len(heights), _WIDTH / 3)
    parts = [
        Markup('<rect class="bar{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            "" if column.bars else " s2", at * step, _HEIGHT - tall, max(1.0, step - 1), tall
        )
        for at, height in enumerate(heights)
        if (tall := max(_LEAST, _HEIGHT * height / largest) if height else 0.0)
    ]
    base = Markup('<line class="axis" x1="0" y1="{0}" x2="{1}" y2="{0}"/>').format(_HEIGHT, _WIDTH)
    told = f"{column.name}: {description(column)}"
    return Markup(
        '<svg class="chart spread" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}{}</svg>'
    ).format(_WIDTH, _HEIGHT, told, told, Markup("").join(parts), base)


def description(column: Column) -> str:
    """Return in words what the bars show."""
    if column.bars:
        at = max(range(len(column.bars)), key=column.bars.__getitem__)
        if len(column.bars) == 1:
            return f"all values are {column.least}"
        low, high = _edges(column, at)
        return f"from {column.least} to {column.largest}, most values between {low} and {high}"
    return "most often " + ", ".join(f"{value} ({count})" for value, count in column.common[:3])


def _edges(column: Column, at: int) -> tuple[str, str]:
    low, high = column.low or 0.0, column.high or 0.0
    step = (high - low) / len(column.bars)
    edges: Sequence[float] = (low + step * at, low + step * (at + 1))
    first, second = (_word(column, edge) for edge in edges)
    return first, second


def _word(column: Column, value: float) -> str:
    if column.kind in ("day", "moment"):
        try:
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d")
        except (ValueError, OverflowError, OSError):
            return number(value)
    return number(round(value, 6))
