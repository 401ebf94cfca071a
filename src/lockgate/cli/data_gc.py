"""`lockgate data gc`: what nothing needs any more."""

from __future__ import annotations

import os

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.project.quantities import counted, size_words


@click.command("gc")
@click.option("--remove", "is_removed", is_flag=True, help="Do it; without this it is only told.")
@click.option(
    "--grace",
    "grace_h",
    type=click.FloatRange(min=0),
    default=24,
    show_default=True,
    metavar="HOURS",
    help="Keep what is younger.",
)
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
    if found.young:
        echo(f"{counted(found.young, 'object')} not needed, but younger than {grace_h:g} h: kept")
    if not found.objects:
        echo(f"nothing to remove; {counted(found.kept, 'object')} needed")
        return
    what = f"{counted(found.objects, 'object')}, {size_words(found.size_bytes)}"
    if found.is_removed:
        echo(f"removed {what}; {counted(found.kept, 'object')} needed")
    else:
        echo(f"{what} would be removed; {counted(found.kept, 'object')} needed")
        echo("To do it: lockgate data gc --remove")
