"""`lockgate kernel build`: what a kernel is started in, ahead of time."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("build")
@click.argument("name")
@json_option
def command(name: str, is_json: bool) -> None:
    """Build the runtime that a kernel of this project is started in; what is built already stays.

    Starting the kernel does that by itself; this is for who does not want to wait then.

    \b
    Example:
      lockgate kernel build flights
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.kernels import build_runtime, read_kernel_of  # noqa: PLC0415

    root = find_root(Path.cwd())
    ready = build_runtime(
        root, read_kernel_of(root, name), lambda news: None if is_json else echo(news.words)
    )
    if is_json:
        print_json(ready)
    else:
        echo(f"{'it is built already' if ready.was_there else 'built'}: {ready.bin}")
