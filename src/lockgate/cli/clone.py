"""`lockgate clone`: a project of a hub's service, as a folder here."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("clone")
@click.argument("url")
@click.argument("project")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    show_default=True,
    metavar="DIR",
    help="The folder in which one of the project's name is made.",
)
@json_option
def command(url: str, project: str, into: Path, is_json: bool) -> None:
    """Clone a project of a hub's service, with the remote `hub` and Lockgate's hooks. A clone that is there
    already gets what is new, where that goes without a merge.

    \b
    Example:
      lockgate clone https://hub.example.org flights
    """
    from lockgate.hub.worktree.cloning import clone  # noqa: PLC0415

    done = clone(url, project, into)
    if is_json:
        print_json(done)
        return
    echo(f"{'cloned' if done.is_new else 'found'} {project}: {done.folder}")
    if not done.is_current:
        echo("Next: lockgate sync: there is work here and on the hub")
