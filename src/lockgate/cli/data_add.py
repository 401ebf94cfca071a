"""`lockgate data add`: large files and folders leave git for the store."""

from __future__ import annotations

import os

import click

from lockgate.cli.data_report import added_lines, inside, write
from lockgate.cli.options import json_option
from lockgate.cli.output import print_json


@click.command("add")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@json_option
def command(paths: tuple[str, ...], is_json: bool) -> None:
    """Put files or folders into the store, and a pointer into their place in git.

    The files stay where they are, as links to the store where the disk can do that (then they are read-only).
    Say it again after a change: only what changed is read.

    \b
    Example:
      lockgate data add data/raw
    """
    from lockgate.data.add import add  # noqa: PLC0415
    from lockgate.data.clone import open_clone  # noqa: PLC0415

    clone = open_clone(os.curdir)
    added = add(clone, inside(clone, paths))
    if not is_json:
        write(added_lines(added))
        return
    keys = ("path", "pointer", "md5", "size_bytes", "file_count", "is_changed", "read_count")
    print_json([{key: getattr(each, key) for key in keys} for each in added])
