"""`lockgate compare`: two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import bold, echo, print_json, table
from lockgate.hub.worktree.asking import ask_comparison
from lockgate.project.quantities import size_words
from lockgate.runs.comparison import Comparison, MetricRow
from lockgate.runs.runid import short

NAMED_AT_MOST = 30


@click.command("compare")
@click.argument("left", metavar="RUN")
@click.argument("right", metavar="RUN")
@hub_options
@json_option
def command(left: str, right: str, hub: Path | None, project: str | None, is_json: bool) -> None:
    """Tell what differs between two runs: parameters, packages, code, stages, metrics, artifacts.

    A RUN is the end of a run's id, as `lockgate runs` shows it, or `latest`.

    \b
    Example:
      lockgate compare 8F3KQ2ZD latest
    """
    words = ["compare", left, right, *(["--json"] if is_json else [])]
    there = ask_hub(hub, project, words)
    found = ask_comparison(there, left, right)
    if is_json:
        print_json(found)
    else:
        _show(found)


def _show(found: Comparison) -> None:
    rows = [
        ("run", short(found.left), short(found.right)),
        ("state", found.left_state, found.right_state),
        ("snapshot", found.left_commit[:10], found.right_commit[:10]),
        ("runtime", (found.left_runtime or "-")[:10], (found.right_runtime or "-")[:10]),
    ]
    table(rows)
    if found.is_same:
        echo("\nthe same code, parameters, packages, metrics and artifacts")
        return
    _section(
        "parameters",
        [(row.name, _value(row.left), _value(row.right), _few(row.stages)) for row in found.parameters],
    )
    _section("packages", [(row.name, row.left or "-", row.right or "-") for row in found.packages])
    _section("code", [(change.status, change.path) for change in found.code])
    _section("stages", [(row.stage, row.left or "-", row.right or "-") for row in found.states])
    _section("metrics", [_metric(row) for row in found.metrics])
    different = [
        (row.path, row.verdict.replace("-", " "), _size(row.left_bytes), _size(row.right_bytes))
        for row in found.artifacts
        if row.verdict != "same"
    ]
    _section("artifacts", different)
    same = len(found.artifacts) - len(different)
    if same:
        echo(f"\n{same} artifact{'s are' if same > 1 else ' is'} the same")


def _section(title: str, rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    echo()
    echo(bold(title))
    table([("  " + row[0], *row[1:]) for row in rows[:NAMED_AT_MOST]])
    if len(rows) > NAMED_AT_MOST:
        echo(f"  … and {len(rows) - NAMED_AT_MOST} more: --json shows all")


def _metric(row: MetricRow) -> tuple[str, str, str, str]:
    change = ""
    if row.difference is not None:
        change = "=" if row.difference == 0 else f"{row.difference:+.4g}"
        if row.relative:
            change += f" ({row.relative:+.2%})"
    return row.name, _value(row.left), _value(row.right), change


def _value(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _size(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else size_words(size_bytes)


def _few(stages: Sequence[str]) -> str:
    named = ", ".join(stages[:3])
    return f"{named} and {len(stages) - 3} more" if len(stages) > 3 else named
