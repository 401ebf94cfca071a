"""`lockgate hub backup`: a hub in one file."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("backup")
@click.argument("target", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--without-runs", is_flag=True, help="Leave out the folders of runs: full logs, failed jobs.")
@hub_option
@json_option
def command(target: Path, without_runs: bool, hub: Path | None, is_json: bool) -> None:
    """Back a hub up into one file, while it works. Keep the file as safe as the hub: its key is in it.

    \b
    Examples:
      lockgate hub backup /mnt/backups --hub /srv/hub
      lockgate hub restore /mnt/backups/hub-2026-11-25T120000Z.tar.zst /srv/new-hub
    """
    from lockgate.hub.operation.backup import back_up  # noqa: PLC0415
    from lockgate.project.quantities import size_words  # noqa: PLC0415

    done = back_up(choose_hub(hub), target, has_runs=not without_runs)
    if is_json:
        print_json(done)
        return
    projects = len(done.projects)
    echo(f"{done.path}: {size_words(done.size_bytes)}, of {size_words(done.content_bytes)} in "
         f"{done.file_count} files, {projects} project{'' if projects == 1 else 's'}")  # fmt: skip
