"""`lockgate hub proposal decline`: a proposal is closed."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import hub_options, json_option
from lockgate.cli.output import echo, print_json
from lockgate.cli.proposal_options import by_option, decider, place_meant


@click.command("decline")
@click.argument("proposal")
@click.option("--reason", default="", metavar="TEXT", help="Why, for whom it was from.")
@by_option
@hub_options
@json_option
def command(
    proposal: str, reason: str, by: str | None, hub: Path | None, project: str | None, is_json: bool
) -> None:
    """Close a proposal without taking it. Its commits stay readable through the activity chain.

    \b
    Example:
      lockgate hub proposal decline 8F3KQ2ZD --by ada --reason "one partition is enough"
    """
    from lockgate.hub.pushing.proposals import decline  # noqa: PLC0415

    place, name = place_meant(hub, project)
    closed = decline(place, name, decider(place, by), proposal, reason)
    if is_json:
        print_json(closed)
    else:
        echo(f"proposal {closed.id[-8:]} of {closed.member} is closed")
