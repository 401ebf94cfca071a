"""`lockgate hub add-project`: a project's place on a hub."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("add-project")
@click.argument("name")
@hub_option
@json_option
def command(name: str, hub: Path | None, is_json: bool) -> None:
    """Add a project to a hub and print its repository's path, ready to clone and to push to.

    One that is there stays as it is; its hooks are written anew.

    \b
    Example:
      lockgate hub add-project flights --hub /srv/hub
      git clone -o hub /srv/hub/repositories/flights.git
    """
    from lockgate.hub.worktree.admission import admit  # noqa: PLC0415

    path, is_new = admit(choose_hub(hub), name)
    if is_json:
        print_json({"project": name, "path": str(path), "is_new": is_new})
    else:
        echo(str(path))
