"""`lockgate passport`: a copy of a figure that says which run made it."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.output import echo
from lockgate.runs.runid import short


@click.command("passport")
@click.argument("figure")
@click.argument("copy", type=click.Path(dir_okay=False, path_type=Path))
def command(figure: str, copy: Path) -> None:
    """Write a copy of a figure that carries its passport: project, run, stage and digest, in its metadata.

    The figure itself stays as it is, byte for byte. PNG, JPEG, SVG and PDF can carry one, and
    `lockgate trace` reads it.

    \b
    Example:
      lockgate passport figures/delays.png paper/delays.png
    """
    from lockgate.errors import UserError  # noqa: PLC0415
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.clone_passport import passport_here  # noqa: PLC0415
    from lockgate.verify.passport import stamped  # noqa: PLC0415

    root = find_root(Path.cwd())
    content, said = passport_here(root, figure)
    made = stamped(content, said)
    if made is None:
        raise UserError(
            f"{figure} cannot carry a passport",
            "PNG, JPEG, SVG and PDF can, whole and up to 50 MB; an encrypted PDF cannot.",
            code="passport-impossible",
        )
    if copy.exists() and copy.samefile(figure):
        raise UserError(
            f"{copy} is the figure itself, which stays as its run made it",
            "Name another path for the copy.",
            code="passport-impossible",
        )
    copy.write_bytes(made)
    echo(f"{copy} is {figure} with the passport of run {short(said.run)}")
