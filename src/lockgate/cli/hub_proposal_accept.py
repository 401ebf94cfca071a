"""`lockgate hub proposal accept`: a proposal becomes part of the default branch."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import hub_options, json_option
from lockgate.cli.output import echo, print_json
from lockgate.cli.proposal_options import by_option, decider, place_meant


@click.command("accept")
@click.argument("proposal")
@by_option
@hub_options
@json_option
def command(proposal: str, by: str | None, hub: Path | None, project: str | None, is_json: bool) -> None:
    """Bring a proposal onto the default branch, by a merge where the branch has gone on, and queue its run.

    One that cannot be merged by itself stays open.

    \b
    Example:
      lockgate hub proposal accept 8F3KQ2ZD --by ada
    """
    from lockgate.hub.pushing.proposals import accept  # noqa: PLC0415

    place, name = place_meant(hub, project)
    done = accept(place, name, decider(place, by), proposal)
    if is_json:
        print_json(done)
        return
    branch = done.proposal.onto.removeprefix("refs/heads/")
    how = "merged into" if done.is_merge else "now on"
    echo(f"proposal {done.proposal.id[-8:]} of {done.proposal.member} is {how} {branch}: {done.commit[:10]}")
    for run in done.runs:
        echo(f"run {run[-8:]} is queued: lockgate logs {run[-8:]} -f")
