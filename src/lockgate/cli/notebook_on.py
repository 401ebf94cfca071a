"""`lockgate notebook on`: git merges and shows notebooks cell by cell."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("on")
@click.option("--nbdime", "is_nbdime", is_flag=True, help="Have nbdime show what differs; it takes longer.")
@json_option
def command(is_nbdime: bool, is_json: bool) -> None:
    """Set up in this clone how git merges notebooks, shows them, and what of their outputs it gets.

    Only .git/config and .git/info/attributes are written; settings of other programs stay.

    \b
    Example:
      lockgate notebook on
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.notebooks.clone import switch_on  # noqa: PLC0415

    done = switch_on(find_root(Path.cwd()), is_nbdime=is_nbdime)
    if is_json:
        print_json(done)
        return
    echo("git merges and shows notebooks cell by cell in this clone")
    echo(f'outputs: "{done.policy}"')
    for other in done.others:
        echo(f"left as it is, as another program wants it: {other}")
    if done.note:
        echo(f"note: {done.note}")
