"""`lockgate stage show`: the script of a stage."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("show")
@click.argument("name")
@json_option
def command(name: str, is_json: bool) -> None:
    """Print the script of a stage that `lockgate stage write` or %%stage made.

    \b
    Example:
      lockgate stage show clean
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.stages import read_stage  # noqa: PLC0415

    found = read_stage(find_root(Path.cwd()), name)
    if is_json:
        print_json(found)
    else:
        echo(found.source.rstrip("\n"))
