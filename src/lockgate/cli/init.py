"""`lockgate init`: a project ready to run, from what is in the folder."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@json_option
def command(folder: Path, is_json: bool) -> None:
    """Set up a folder as a Lockgate project.

    Makes it a git repository if it is none, proposes a lockgate.toml from the scripts and notebooks that
    are there, makes your private hub and points the remote `hub` at it. What exists is left as it is.

    \b
    Example:
      lockgate init
      lockgate run
    """
    from lockgate.hub.worktree.setup import set_up  # noqa: PLC0415

    done = set_up(folder.absolute())
    if is_json:
        print_json(done)
        return
    for line in done.lines:
        echo(line)
    echo()
    echo("Next: look at lockgate.toml, then: lockgate run")
