"""`lockgate open`: a stage with exactly the inputs its job saw, in a folder apart."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("open")
@click.argument("run")
@click.argument("stage")
@json_option
def command(run: str, stage: str, is_json: bool) -> None:
    """Lay a stage out with exactly the inputs its job saw, in lockgate.open/RUN-STAGE.

    Git ignores that folder. A second call leaves it as it is: what you tried in it stays. Delete it to have
    it laid out anew.

    \b
    Examples:
      lockgate open latest report
      lockgate open 8F3KQ2ZD train
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.reaching.address import address  # noqa: PLC0415
    from lockgate.hub.worktree.asking import ask_run  # noqa: PLC0415
    from lockgate.hub.worktree.opening import open_stage  # noqa: PLC0415

    root = find_root(Path.cwd())
    place = address(None, None, root)
    done = open_stage(root, place, ask_run(place, run), stage)
    if is_json:
        print_json(done)
        return
    there = "" if done.is_new else ", as you left it"
    echo(f"{done.folder}: {done.files} file{'' if done.files == 1 else 's'}{there}")
    echo(f"notebook: {done.folder}/{done.notebook}" if done.notebook else f"command: {done.command}")
