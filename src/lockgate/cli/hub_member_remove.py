"""`lockgate hub member remove`: a member leaves the hub."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("remove")
@click.argument("name")
@hub_option
@json_option
def command(name: str, hub: Path | None, is_json: bool) -> None:
    """Take a member off the hub: keys, password and tokens end at once. What they did stays on record.

    \b
    Example:
      lockgate hub member remove bob
    """
    from lockgate.hub.members.book import open_book  # noqa: PLC0415
    from lockgate.hub.members.changes import remove  # noqa: PLC0415
    from lockgate.hub.members.values import OWNER  # noqa: PLC0415

    remove(open_book(choose_hub(hub)), OWNER, name)
    if is_json:
        print_json({"member": name, "is_removed": True})
    else:
        echo(f"removed {name}")
