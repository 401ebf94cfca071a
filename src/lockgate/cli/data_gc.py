"""`lockgate data gc`: what nothing needs any more."""

from __future__ import annotations

import os

import click

from lockgate.cli.collected import grace_option, tell
from lockgate.cli.options import json_option
from lockgate.cli.output import print_json


@click.command("gc")
@click.option("--remove", "is_removed", is_flag=True, help="Do it; without this it is only told.")
@grace_option(0)
@json_option
def command(is_removed: bool, grace_h: float, is_json: bool) -> None:
    """Tell which objects of the store nothing needs; remove them with --remove.

    Needed is what any branch, tag, stash or other ref names in any commit, and what the index or the work
    tree names, of every linked work tree.

    \b
    Example:
      lockgate data gc
      lockgate data gc --remove
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.gc import collect  # noqa: PLC0415

    found = collect(open_clone(os.curdir), is_removed, int(grace_h * 3600))
    if is_json:
        print_json(found)
        return
    tell(found, grace_h, "lockgate data gc")
