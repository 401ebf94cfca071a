"""`lockgate hub proposal list`: what waits for a lead."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import hub_options, json_option
from lockgate.cli.output import echo, print_json, table
from lockgate.cli.proposal_options import place_meant


@click.command("list")
@hub_options
@json_option
def command(hub: Path | None, project: str | None, is_json: bool) -> None:
    """List the open proposals of a project, oldest first.

    \b
    Example:
      lockgate hub proposal list
    """
    from lockgate.hub.pushing.proposals import list_proposals  # noqa: PLC0415
    from lockgate.hub.pushing.push_rules import listed  # noqa: PLC0415

    found = list_proposals(*place_meant(hub, project))
    if is_json:
        print_json(found)
    elif not found:
        echo("no proposal waits")
    else:
        rows = [(p.id[-8:], p.opened_at, p.member, listed(p.paths), p.subject) for p in found]
        table(rows, ("proposal", "opened", "member", "changes", "subject"))
