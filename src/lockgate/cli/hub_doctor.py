"""`lockgate hub doctor`: is a hub well?"""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json, uses_colour

_COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}


@click.command("doctor")
@hub_option
@click.option("--fix", "is_fix", is_flag=True, help="Write anew what can be: hooks, settings, pipe, wrapper.")
@click.option("--deep", "is_deep", is_flag=True, help="Have git check every object; slow on a large hub.")
@json_option
def command(hub: Path | None, is_fix: bool, is_deep: bool, is_json: bool) -> None:
    """Look whether a hub is well, and say what mends what is not. Exit code 1: a problem remains.

    \b
    Example:
      lockgate hub doctor --fix --hub /srv/hub
    """
    from lockgate.hub.operation.examination import examine, mend  # noqa: PLC0415

    place = choose_hub(hub)
    if is_fix:
        mend(place)
    found = []
    for finding in examine(place, is_deep=is_deep):
        found.append(finding)
        if not is_json:
            state = f"{finding.state:7}"
            echo(f"{click.style(state, fg=_COLOURS[finding.state]) if uses_colour() else state}  "
                 f"{finding.what}: {finding.detail}")  # fmt: skip
            if finding.mend:
                echo(f"         {finding.mend}")
    if is_json:
        print_json(found)
    if any(finding.state == "problem" for finding in found):
        raise click.exceptions.Exit(1)
