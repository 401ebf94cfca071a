"""`lockgate logs`: what the jobs of a run printed."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import bold, echo


@click.command("logs")
@click.argument("run", default="latest")
@click.argument("stage", required=False)
@click.option("-f", "--follow", "is_follow", is_flag=True, help="Go on until the run has ended.")
@hub_options
@json_option
def command(
    run: str, stage: str | None, is_follow: bool, hub: Path | None, project: str | None, is_json: bool
) -> int:
    """Print the output of a run's jobs, of all stages or of one.

    With --json, one object a line: the stage, and a piece of its text, in order.

    \b
    Examples:
      lockgate logs
      lockgate logs 8F3KQ2ZD train -f

    Exit codes: with -f, 1 if the run did not succeed.
    """
    from lockgate.hub.worktree.asking import ask_logs  # noqa: PLC0415

    words = ["logs", run, *([stage] if stage else []), *(["-f"] if is_follow else [])]
    words += ["--json"] if is_json else []
    place = ask_hub(hub, project, words)
    shown: str | None = None
    state = ""
    for piece in ask_logs(place, run, stage, is_follow=is_follow):
        state = piece.run_state
        if is_json:
            text = piece.content.decode("utf-8", "replace")
            line = {"stage": piece.stage, "text": text, "run": state}
            if piece.progress:
                line["progress"] = piece.progress
            click.echo(msgspec.json.encode(line).decode())
            continue
        if piece.progress:
            # Beside the output, which goes on to be exactly what the jobs printed.
            click.echo(f"{piece.stage}  {piece.progress}", err=True)
            continue
        if piece.stage != shown and stage is None and piece.content:
            echo(bold(f"── {piece.stage} ──"))
            shown = piece.stage
        sys.stdout.buffer.write(piece.content)
        sys.stdout.buffer.flush()
    return 1 if is_follow and state in ("failed", "cancelled") else 0
