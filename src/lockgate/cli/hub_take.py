"""`lockgate hub take`: a stream of objects into a project."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.stream_options import place_options


@click.command("take")
@place_options
@json_option
def command(hub: Path, project: str, is_json: bool) -> None:
    """Take a stream of objects in for a project, from standard input. Lockgate calls it over ssh to send
    data.
    """
    from lockgate.hub.directory import open_hub  # noqa: PLC0415
    from lockgate.hub.supplying.taking import take_stream  # noqa: PLC0415

    place = open_hub(hub)
    place.require_project(project)
    take_stream(place, project, sys.stdin.buffer)
