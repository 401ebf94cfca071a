"""`lockgate notebook merge`: git's merge driver for notebooks."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lockgate.cli.output import printable

#: Tells git's caller that both sides stand in the file; any other failure has git merge by line itself.
CONFLICT = 10


@click.command("merge")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("ours", type=click.Path(path_type=Path))
@click.argument("theirs", type=click.Path(path_type=Path))
@click.argument("path")
@click.option("--marker-size", type=int, default=7, help="How long git's marks are.")
def command(base: Path, ours: Path, theirs: Path, path: str, marker_size: int) -> int:
    """Merge three notebooks by cell into OURS; git calls it.

    A cell that both changed then holds both sides between marks, and the exit code is 10.
    """
    from lockgate.hub.notebooks.clone import current_policy  # noqa: PLC0415
    from lockgate.hub.notebooks.merge_driver import drive  # noqa: PLC0415

    found = drive(
        base.read_bytes(),
        ours.read_bytes(),
        theirs.read_bytes(),
        marker_size=marker_size,
        has_outputs=current_policy(Path.cwd()) == "keep",
    )
    ours.write_bytes(found.content)
    if found.trouble:
        sys.stderr.write(printable(f"{path}: {found.trouble}") + "\n")
        return CONFLICT
    return 0
