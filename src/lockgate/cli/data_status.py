"""`lockgate data status`: how the data here differs from its pointers."""

from __future__ import annotations

import os

import click

from lockgate.cli.data_report import newer_lines, newer_of, standing_lines, write
from lockgate.cli.options import json_option
from lockgate.cli.output import print_json


@click.command("status")
@click.option("--exit-code", "is_exit_code", is_flag=True, help="Exit with 1 if anything differs.")
@json_option
def command(is_exit_code: bool, is_json: bool) -> int:
    """Say how the data in the work tree differs from what its pointers say; of imports, whether the other
    project has something newer.

    \b
    Example:
      lockgate data status
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.status import standing  # noqa: PLC0415

    clone = open_clone(os.curdir)
    found = standing(clone)
    newer, unasked = newer_of(clone, found)
    if is_json:
        by_path = {each.path: each for each in newer}
        print_json(
            [
                {
                    "path": each.output.path,
                    "pointer": each.output.file,
                    "state": each.word,
                    "changed": each.changed,
                    "added": each.added,
                    "removed": each.removed,
                    "newer": by_path.get(each.output.path),
                }
                for each in found
            ]
        )
    else:
        write([*standing_lines(found), *newer_lines(newer, unasked)])
    return 1 if is_exit_code and any(each.word != "unchanged" for each in found) else 0
