"""`lockgate hub init`: make a directory a hub."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def command(folder: Path, is_json: bool) -> None:
    """Make a new or empty directory a hub. One that is a hub already stays as it is.

    \b
    Example:
      lockgate hub init /srv/hub
    """
    from lockgate.hub.directory import create_hub  # noqa: PLC0415

    hub, is_new = create_hub(folder)
    if is_json:
        print_json({"hub": str(hub.root), "is_new": is_new})
        return
    echo(f"{'made' if is_new else 'there is already'} the hub {hub.root}")
    echo(f"Next: lockgate hub add-project NAME --hub {hub.root}")
