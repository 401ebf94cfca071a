"""`lockgate hub lacking`: what a project lacks of the objects named on standard input."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.cli.stream_options import place_options, told_value


@click.command("lacking")
@place_options
@json_option
def command(hub: Path, project: str, is_json: bool) -> None:
    """Say which objects a project of a hub lacks, and how much of each came before a break. Standard input:
    a JSON list of digests. Lockgate calls it over ssh before it sends data.
    """
    from lockgate.hub.directory import open_hub  # noqa: PLC0415
    from lockgate.hub.supplying.taking import lacking  # noqa: PLC0415

    place = open_hub(hub)
    place.require_project(project)
    found = lacking(place, project, told_value(sys.stdin.buffer.read(), list[str]))
    if is_json:
        print_json({"lacking": found})
        return
    for md5, size in found.items():
        echo(f"{md5} {size}")
