"""`lockgate hub gc`: data of a hub that no project needs any more."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.collected import grace_option, tell
from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import print_json
from lockgate.project.quantities import counted, size_words


@click.command("gc")
@hub_option
@click.option("--remove", "is_removed", is_flag=True, help="Do it; without this it is only told.")
@grace_option(2)
@json_option
def command(hub: Path | None, is_removed: bool, grace_h: float, is_json: bool) -> None:
    """Tell which objects of a hub's store no project needs, and what broken transfers left; remove them with
    --remove.

    Needed is what any branch, tag, waiting or running run, or activity of any project names, and what any
    recorded run made. The hub may work meanwhile.

    \b
    Example:
      lockgate hub gc --hub /srv/hub
      lockgate hub gc --hub /srv/hub --remove
    """
    from lockgate.hub.operation.collecting import collect  # noqa: PLC0415

    found = collect(choose_hub(hub), is_removed=is_removed, grace_s=int(grace_h * 3600))
    if is_json:
        print_json(found)
        return
    others = []
    if found.leftovers:
        files = counted(found.leftovers, "leftover")
        others = [f"{files} of broken transfers, {size_words(found.leftover_bytes)}"]
    tell(found, grace_h, "lockgate hub gc", others)
