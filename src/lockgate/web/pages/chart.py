"""Charts as SVG, made here and styled by the one style sheet: nothing inline, no script. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from lockgate.web.words import number

_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 12, 12, 26


class Point(msgspec.Struct, frozen=True):
    """One value of a line; `label` names its place, `href` is where a click on it leads."""

    label: str
    value: float
    href: str | None = None
    state: str = ""


def line(points: Sequence[Point], title: str, description: str = "") -> Markup:
    """Return a line through the points in their order, with the least and the largest value at its axis."""
    if not points:
        return Markup("")
    low, high = min(p.value for p in points), max(p.value for p in points)
    span = (high - low) or abs(high) or 1.0
    low, high = (low, high) if high > low else (low - span / 2, high + span / 2)
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(points) - 1)
    places = [
        (
            _LEFT + step * at if len(points) > 1 else (_LEFT + _WIDTH - _RIGHT) / 2,
            _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - (p.value - low) / (high - low)),
        )
        for at, p in enumerate(points)
    ]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    told = description or (
        f"{len(points)} values from {number(points[0].value)} to {number(points[-1].value)},"
        f" least {number(min(p.value for p in points))}, largest {number(max(p.value for p in points))}"
    )
    bottom = _HEIGHT - _BOTTOM
    parts = [
        Markup('<line class="axis" x1="{0}" y1="{1}" x2="{2}" y2="{1}"/>').format(_LEFT, y, _WIDTH - _RIGHT)
        for y in (_TOP, (_TOP + bottom) / 2, bottom)
    ]
    for y, value in ((_TOP, high), (bottom, low)):
        parts.append(
            Markup('<text class="value" x="{}" y="{}" text-anchor="end">{}</text>').format(
                _LEFT - 6, y + 4, number(round(value, 12))
            )
        )
    parts.append(
        Markup('<text x="{}" y="{}">{}</text>').format(_LEFT, _HEIGHT - 8, _cut(points[0].label, 22))
    )
    if len(points) > 1:
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
                _WIDTH - _RIGHT, _HEIGHT - 8, _cut(points[-1].label, 22)
            )
        )
    parts.append(Markup('<path class="line" d="{}"/>').format(path))
    parts += [_dot(point, x, y) for point, (x, y) in zip(points, places, strict=True)]
    return _svg("chart plot", f"0 0 {_WIDTH} {_HEIGHT}", title, told, parts)


def _dot(point: Point, x: float, y: float) -> Markup:
    circle = Markup(
        '<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="3.5"><title>{}</title></circle>'
    ).format(_word(point.state), x, y, f"{point.label}: {number(point.value)}")
    if point.href is None:
        return circle
    return Markup('<a href="{}" aria-label="{}">{}</a>').format(
        point.href, f"{point.label}: {number(point.value)}", circle
    )


def spark(values: Sequence[tuple[float, str]], title: str) -> Markup:
    """Return small bars, the newest at the right: (length, state) of each run."""
    if not values:
        return Markup("")
    width, height, count = 128, 28, len(values)
    step = min(10.0, width / count)
    largest = max(value for value, _ in values) or 1.0
    parts = []
    for at, (value, state) in enumerate(values):
        tall = max(4.0, height * (value / largest) ** 0.5)
        x = step * at
        parts.append(
            Markup(
                '<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1"/>'
            ).format(_word(state), x, height - tall, max(1.0, step - 2), tall)
        )
    counted = {state: sum(1 for _, other in values if other == state) for _, state in values}
    told = ", ".join(f"{many} {state}" for state, many in counted.items())
    return _svg("chart spark", f"0 0 {width} {height}", title, told, parts)


def bar(fraction: float, state: str = "", start: float = 0.0) -> Markup:
    """Return one bar of a table's cell; the cell beside it says the value, so it is hidden from readers."""
    start = min(1.0, max(0.0, start))
    length = min(1.0 - start, max(0.004, fraction))
    return Markup(
        '<svg class="chart" viewBox="0 0 200 10" preserveAspectRatio="none" height="10" aria-hidden="true">'
        '<rect class="track" width="200" height="10" rx="2"/>'
        '<rect class="bar {}" x="{:.2f}" width="{:.2f}" height="10" rx="2"/></svg>'
    ).format(_word(state), start * 200, length * 200)


def _svg(kind: str, box: str, title: str, description: str, parts: Sequence[Markup]) -> Markup:
    has_links = any("<a " in part for part in parts)
    return Markup('<svg class="{}" viewBox="{}" role="{}" aria-label="{}">{}{}</svg>').format(
        kind,
        box,
        "group" if has_links else "img",
        f"{title}: {description}" if description else title,
        Markup("<title>{}</title><desc>{}</desc>").format(title, description),
        Markup("").join(parts),
    )


def _word(state: str) -> str:
    """A state as a class name; what is no plain word is none."""
    return state if state.isalpha() and state.isascii() else ""


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
