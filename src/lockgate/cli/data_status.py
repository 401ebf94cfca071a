"""`lockgate data status`: how the data here differs from its pointers."""

from __future__ import annotations

import os

import click

from lockgate.cli.data_report import standing_lines, write
from lockgate.cli.options import json_option
from lockgate.cli.output import print_json


@click.command("status")
@click.option("--exit-code", "is_exit_code", is_flag=True, help="Exit with 1 if anything differs.")
@json_option
def command(is_exit_code: bool, is_json: bool) -> int:
    """Say how the data in the work tree differs from what its pointers say.

    \b
    Example:
      lockgate data status
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.status import standing  # noqa: PLC0415

    found = standing(open_clone(os.curdir))
    if is_json:
        print_json(
            [
                {
                    "path": each.output.path,
                    "pointer": each.output.file,
                    "state": each.word,
                    "changed": each.changed,
                    "added": each.added,
                    "removed": each.removed,
                }
                for each in found
            ]
        )
    else:
        write(standing_lines(found))
    return 1 if is_exit_code and any(each.word != "unchanged" for each in found) else 0
