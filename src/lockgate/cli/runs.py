"""`lockgate runs`: the runs of a project."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import echo, print_json, state_words, table, when
from lockgate.project.quantities import duration_words
from lockgate.runs.runid import short


@click.command("runs")
@click.option("-n", "limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many.")
@hub_options
@json_option
def command(limit: int, hub: Path | None, project: str | None, is_json: bool) -> None:
    """List the newest runs of the project, newest first.

    \b
    Example:
      lockgate runs -n 5
    """
    from lockgate.hub.worktree.asking import ask_runs  # noqa: PLC0415

    place = ask_hub(hub, project, ["runs", "-n", str(limit), *(["--json"] if is_json else [])])
    lines = ask_runs(place, limit)
    if is_json:
        print_json(lines)
    elif not lines:
        echo("no runs yet; start one: lockgate run")
    else:
        table(
            [
                (
                    short(line.id),
                    state_words(line.state),
                    duration_words(line.seconds) if line.seconds is not None else "",
                    when(line.created_at),
                    line.where,
                    line.commit[:10],
                    line.member,
                    line.cause or "",
                )
                for line in lines
            ],
            ("RUN", "STATE", "TIME", "QUEUED", "OF", "COMMIT", "MEMBER", "CAUSE"),
        )
