"""`lockgate data list`: the data of this project."""

from __future__ import annotations

import os

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json, table
from lockgate.project.quantities import counted, size_words


@click.command("list")
@click.option("--rev", metavar="REV", help="As of another commit.")
@json_option
def command(rev: str | None, is_json: bool) -> None:
    """List the files and folders that pointers stand for.

    \b
    Example:
      lockgate data list
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.pointed import find_outputs  # noqa: PLC0415

    clone = open_clone(os.curdir)
    if rev is None:
        outputs = find_outputs(clone)
    else:
        from lockgate.data.versions import outputs_at  # noqa: PLC0415

        outputs = outputs_at(clone, rev)
    if is_json:
        keys = ("path", "file", "md5", "size_bytes", "file_count")
        print_json([{key: getattr(each, key) for key in keys} for each in outputs])
        return
    if not outputs:
        echo("no data yet: lockgate data add PATH")
        return
    table(
        [
            (
                each.path,
                "unknown" if each.size_bytes is None else size_words(each.size_bytes),
                "" if each.file_count is None else counted(each.file_count, "file"),
            )
            for each in outputs
        ]
    )
