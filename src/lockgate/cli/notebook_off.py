"""`lockgate notebook off`: git treats notebooks as any file."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.output import echo


@click.command("off")
def command() -> None:
    """Take out of this clone what `lockgate notebook on`, init, run and sync wrote; they leave it so.

    \b
    Example:
      lockgate notebook off
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.notebooks.clone import switch_off  # noqa: PLC0415

    switch_off(find_root(Path.cwd()))
    echo("git treats notebooks as any file in this clone; to have it back: lockgate notebook on")
