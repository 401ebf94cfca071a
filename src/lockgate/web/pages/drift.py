"""How far a table's columns drifted from version to version, as small SVGs: a bar for each version."""

from __future__ import annotations

from markupsafe import Markup

from lockgate.hub.datasets.dataset_checks import DatasetChecks

_WIDTH, _HEIGHT = 144, 36
_LEAST = 1.5
#: A major change (Siddiqi 2006).
_MAJOR = 0.25
#: The picture reaches at least and at most so far: small ones do not look large, nor one hide all others.
_REACH = (2 * _MAJOR, 4 * _MAJOR)


def drawn(checks: DatasetChecks) -> list[tuple[str, Markup, float]]:
    """Return (column, picture, index now) of each column that drift is told of, in the newest report."""
    reports = [each.report for each in reversed(checks.accepted)]
    newest = checks.newest.report if checks.newest else None
    if newest is not None and (not reports or newest != reports[-1]):
        reports.append(newest)
    names = reports[-1].drift if reports else {}
    return [
        (name, _bars(name, [report.drift.get(name, 0.0) for report in reports]), now)
        for name, now in names.items()
    ]


def _bars(name: str, indices: list[float]) -> Markup:
    reach = min(max(_REACH[0], *indices), _REACH[1])
    step = min(_WIDTH / len(indices), _WIDTH / 6)
    bars = [
        Markup('<rect class="bar{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            " s2" if index > _MAJOR else "", at * step, _HEIGHT - tall, max(1.0, step - 1), tall
        )
        for at, index in enumerate(indices)
        if (tall := max(_LEAST, _HEIGHT * min(index, reach) / reach))
    ]
    limit = _HEIGHT - _HEIGHT * _MAJOR / reach
    lines = Markup(
        '<line class="axis" x1="0" y1="{0:.1f}" x2="{1}" y2="{0:.1f}" stroke-dasharray="2 2"/>'
        '<line class="axis" x1="0" y1="{2}" x2="{1}" y2="{2}"/>'
    ).format(limit, _WIDTH, _HEIGHT)
    told = f"{name}: PSI {', '.join(f'{index:.3f}' for index in indices)}; the dashed line is {_MAJOR}"
    return Markup(
        '<svg class="chart spread" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}{}</svg>'
    ).format(_WIDTH, _HEIGHT, told, told, Markup("").join(bars), lines)
