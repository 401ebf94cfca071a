"""`lockgate logs`: what the jobs of a run printed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lockgate.cli.options import ask_hub, hub_options
from lockgate.cli.output import bold, echo


@click.command("logs")
@click.argument("run", default="latest")
@click.argument("stage", required=False)
@click.option("-f", "--follow", "is_follow", is_flag=True, help="Go on until the run has ended.")
@hub_options
def command(run: str, stage: str | None, is_follow: bool, hub: Path | None, project: str | None) -> int:
    """Print the output of a run's jobs, of all stages or of one.

    \b
    Examples:
      lockgate logs
      lockgate logs 8F3KQ2ZD train -f

    Exit codes: with -f, 1 if the run did not succeed.
    """
    from lockgate.hub.logs import read_logs  # noqa: PLC0415

    words = ["logs", run, *([stage] if stage else []), *(["-f"] if is_follow else [])]
    place = ask_hub(hub, project, words)
    shown: str | None = None
    state = ""
    for piece in read_logs(place.hub, place.project, run, stage, is_follow=is_follow):
        if piece.stage != shown and stage is None and piece.content:
            echo(bold(f"── {piece.stage} ──"))
            shown = piece.stage
        sys.stdout.buffer.write(piece.content)
        sys.stdout.buffer.flush()
        state = piece.run_state
    return 1 if is_follow and state in ("failed", "cancelled") else 0
