"""`lockgate stage write`: a script becomes a stage."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("write")
@click.argument("name")
@click.option("--needs", multiple=True, metavar="PATH", help="What it reads; left out, the whole project.")
@click.option("--makes", multiple=True, metavar="PATH", help="What it makes.")
@click.option("--cpus", type=click.IntRange(1), help="Cpus for it.")
@click.option("--memory", metavar="SIZE", help='Memory for it, as "2 GB".')
@click.option("--walltime", metavar="DURATION", help='Walltime for it, as "30 min".')
@json_option
def command(
    name: str,
    needs: tuple[str, ...],
    makes: tuple[str, ...],
    cpus: int | None,
    memory: str | None,
    walltime: str | None,
    is_json: bool,
) -> None:
    """Write standard input to stages/NAME.py, and the stage that runs it to lockgate.toml.

    A stage that was written so before gets the new script and the needs and makes given now; comments and
    order of lockgate.toml stay.

    \b
    Example:
      lockgate stage write clean --needs raw.csv --makes clean.csv < clean.py
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.stages import write_stage  # noqa: PLC0415

    given = {"cpus": cpus, "memory": memory, "walltime": walltime}
    resources = {key: value for key, value in given.items() if value is not None}
    source = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    written = write_stage(find_root(Path.cwd()), name, source, needs, makes, resources)
    if is_json:
        print_json(written)
    else:
        echo(f"stage {written.name} {'added' if written.is_new else 'changed'}: {written.script}")
