"""`lockgate hub gc`: data of a hub that no project needs any more."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.project.quantities import counted, size_words


@click.command("gc")
@hub_option
@click.option("--remove", "is_removed", is_flag=True, help="Do it; without this it is only told.")
@click.option(
    "--grace",
    "grace_h",
    type=click.FloatRange(min=2),
    default=24,
    show_default=True,
    metavar="HOURS",
    help="Keep what is younger.",
)
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
    from lockgate.hub.collecting import collect  # noqa: PLC0415

    found = collect(choose_hub(hub), is_removed=is_removed, grace_s=int(grace_h * 3600))
    if is_json:
        print_json(found)
        return
    if found.young:
        echo(f"{counted(found.young, 'object')} not needed, but younger than {grace_h:g} h: kept")
    if not found.objects and not found.leftovers:
        echo(f"nothing to remove; {counted(found.kept, 'object')} needed")
        return
    parts = [f"{counted(found.objects, 'object')}, {size_words(found.size_bytes)}"] if found.objects else []
    if found.leftovers:
        files = counted(found.leftovers, "leftover")
        parts.append(f"{files} of broken transfers, {size_words(found.leftover_bytes)}")
    what = "; ".join(parts)
    if found.is_removed:
        echo(f"removed {what}; {counted(found.kept, 'object')} needed")
    else:
        echo(f"{what} would be removed; {counted(found.kept, 'object')} needed")
        echo("To do it: lockgate hub gc --remove")
