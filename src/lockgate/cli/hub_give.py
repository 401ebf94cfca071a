"""`lockgate hub give`: a stream of objects of a project."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.stream_options import place_options, told_value


@click.command("give")
@place_options
@json_option
def command(hub: Path, project: str, is_json: bool) -> None:
    """Write a stream of a project's objects to standard output. Standard input: a JSON object, digest to the
    byte from which on it is wanted. Lockgate calls it over ssh to fetch data.
    """
    from lockgate.hub.directory import open_hub  # noqa: PLC0415
    from lockgate.hub.supplying.taking import give  # noqa: PLC0415

    place = open_hub(hub)
    place.require_project(project)
    wanted = told_value(sys.stdin.buffer.read(), dict[str, int])
    for chunk in give(place, project, wanted):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
