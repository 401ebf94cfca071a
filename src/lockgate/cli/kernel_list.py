"""`lockgate kernel list`: the kernels of a project."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json, table


@click.command("list")
@json_option
def command(is_json: bool) -> None:
    """List the kernels that this project brings along.

    \b
    Example:
      lockgate kernel list
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.kernels import list_kernels  # noqa: PLC0415

    kernels = list_kernels(find_root(Path.cwd()))
    if is_json:
        print_json(kernels)
    elif not kernels:
        echo("no kernel of its own; add one: lockgate kernel add NAME")
    else:
        rows = [(kernel.name, kernel.language, kernel.display_name) for kernel in kernels]
        table(rows, ("KERNEL", "LANGUAGE", "SHOWN AS"))
