"""`lockgate kernel add`: a kernel.json that starts in the project's runtime."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.project.kernel import LANGUAGES


@click.command("add")
@click.argument("name")
@click.option(
    "--language",
    type=click.Choice(LANGUAGES, case_sensitive=False),
    default="python",
    show_default=True,
    help="What its cells are written in.",
)
@click.option("--display-name", metavar="TEXT", help="What Jupyter calls it; left out: the folder's name.")
@json_option
def command(name: str, language: str, display_name: str | None, is_json: bool) -> None:
    """Write kernels/NAME/kernel.json, which starts a kernel in the project's locked runtime.

    \b
    Examples:
      lockgate kernel add flights
      lockgate kernel add flights-r --language R --display-name "Flights in R"
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.kernels import add_kernel  # noqa: PLC0415

    added = add_kernel(find_root(Path.cwd()), name, language, display_name)
    if is_json:
        print_json(added)
    else:
        echo(f"wrote {added.path}; everybody who pulls it has the kernel")
