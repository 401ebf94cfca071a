"""`lockgate cancel`: end a run."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import echo, print_json


@click.command("cancel")
@click.argument("run")
@click.option("--by", metavar="MEMBER", help="In whose name; left out: git's user.email.")
@hub_options
@json_option
def command(run: str, by: str | None, hub: Path | None, project: str | None, is_json: bool) -> None:
    """End a run, with every process its jobs started. What is done so far is kept and recorded.

    \b
    Example:
      lockgate cancel 8F3KQ2ZD
    """
    from lockgate.git.worktree import member_here  # noqa: PLC0415
    from lockgate.hub.worktree.asking import ask_cancel  # noqa: PLC0415

    member = by or member_here()
    words = ["cancel", run, *(["--by", member] if member else []), *(["--json"] if is_json else [])]
    place = ask_hub(hub, project, words)
    done = ask_cancel(place, run, member)
    if is_json:
        print_json(done)
    else:
        echo(
            f"run {done.run[-8:]} {'is being cancelled' if done.was_running else f'had ended: {done.state}'}"
        )
