"""`lockgate hub restore`: a hub from its backup."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("restore")
@click.argument("archive", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def command(archive: Path, folder: Path, is_json: bool) -> None:
    """Bring a hub back from its backup, into a new or empty directory. Every byte is checked first.

    Runs that had not ended are queued again. Exit code 1: a part of a chain could not be read.

    \b
    Example:
      lockgate hub restore hub-2026-11-25T120000Z.tar.zst /srv/hub
    """
    from lockgate.hub.operation.restoring import bring_back  # noqa: PLC0415

    done = bring_back(archive, folder)
    if is_json:
        print_json(done)
    else:
        echo(f"the hub {done.hub} is as it was at {done.created_at}")
        projects, runs = len(done.projects), done.run_count
        echo(f"{done.file_count} files verified, {projects} project{'' if projects == 1 else 's'} complete,"
             " hooks written anew")  # fmt: skip
        echo(f"{runs} run{'' if runs == 1 else 's'}, {done.queued_count} queued again")
        for problem in done.problems:
            echo(f"not read: {problem}")
        echo(f"Next, which starts what is queued: lockgate hub doctor --fix --hub {done.hub}")
    if done.problems:
        raise click.exceptions.Exit(1)
