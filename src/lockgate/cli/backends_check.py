"""`lockgate backends check`: does a batch system work?"""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import echo, print_json, uses_colour
from lockgate.project.quantities import parse_duration

_COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}


@click.command("check")
@click.argument("name")
@click.option("--timeout", default="2min", metavar="TIME", help="Give up after so long.  [default: 2min]")
@hub_options
@json_option
def command(name: str, timeout: str, hub: Path | None, project: str | None, is_json: bool) -> None:
    """Send a tiny job through a backend, with the settings of the project's default branch, and tell each
    step and what is wrong in words. Exit code 1: it does not work.

    \b
    Example:
      lockgate backends check slurm
    """
    from lockgate.hub.worktree.asking import ask_check  # noqa: PLC0415

    timeout_s = parse_duration(timeout)
    if timeout_s is None:
        raise click.BadParameter(f"{timeout!r} is no duration, as `90 s` or `10 min`", param_hint="--timeout")
    words = ["backends", "check", name, "--timeout", timeout, *(["--json"] if is_json else [])]
    place = ask_hub(hub, project, words)
    found = []
    for finding in ask_check(place, name, timeout_s):
        found.append(finding)
        if not is_json:
            state = f"{finding.state:7}"
            shown = click.style(state, fg=_COLOURS[finding.state]) if uses_colour() else state
            echo(f"{shown}  {finding.what}: {finding.detail}")
            if finding.mend:
                echo(f"         {finding.mend}")
    if is_json:
        print_json(found)
    if any(finding.state == "problem" for finding in found):
        raise click.exceptions.Exit(1)
