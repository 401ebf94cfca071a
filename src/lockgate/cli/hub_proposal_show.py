"""`lockgate hub proposal show`: what one changes."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from lockgate.cli.options import hub_options, json_option
from lockgate.cli.output import bold, echo, print_json
from lockgate.cli.proposal_options import place_meant


@click.command("show")
@click.argument("proposal")
@hub_options
@json_option
def command(proposal: str, hub: Path | None, project: str | None, is_json: bool) -> None:
    """Show a proposal, and what it changes since it left the default branch.

    \b
    Example:
      lockgate hub proposal show 8F3KQ2ZD
    """
    from lockgate.hub.pushing.proposals import difference, find_proposal  # noqa: PLC0415

    place, name = place_meant(hub, project)
    found = find_proposal(place, name, proposal)
    patch = difference(place, name, found)
    if is_json:
        print_json({**msgspec.to_builtins(found), "difference": patch})
        return
    branch = found.onto.removeprefix("refs/heads/")
    echo(bold(f"proposal {found.id[-8:]} of {found.member} for {branch}, opened {found.opened_at}"))
    echo(f"{found.commit[:10]} {found.subject}")
    echo()
    echo(patch.rstrip("\n"))
