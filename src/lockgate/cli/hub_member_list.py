"""`lockgate hub member list`: who is on a hub."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json, table


@click.command("list")
@hub_option
@json_option
def command(hub: Path | None, is_json: bool) -> None:
    """List the members, their roles, and how they show who they are. No secret is shown: none is kept.

    \b
    Example:
      lockgate hub member list
    """
    from lockgate.hub.members.book import open_book  # noqa: PLC0415
    from lockgate.hub.members.overview import overview  # noqa: PLC0415

    place = choose_hub(hub)
    book = open_book(place)
    shown = [overview(member) for member in book.members()]
    if is_json:
        print_json(shown)
        return
    if not shown:
        echo(
            "no member yet: whoever reaches the hub is its owner"
            if book.is_open
            else "no member: the hub lets in its owner only"
        )
        echo("To add one: lockgate hub member add NAME --role lead --project PROJECT")
        return
    rows = [
        (each.name, each.roles_text, each.parties_text, each.ways_text, each.email or "-") for each in shown
    ]
    table(rows, ("member", "roles", "signs off for", "ways in", "e-mail"))
