"""`lockgate data show`: one dataset and its versions."""

from __future__ import annotations

import os

import click

from lockgate.cli.data_report import inside
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json, table, when
from lockgate.project.quantities import counted, size_words


@click.command("show")
@click.argument("path", metavar="PATH")
@json_option
def command(path: str, is_json: bool) -> None:
    """Show one dataset: its pointer, size, files, whether its bytes are here, and its versions in history.

    \b
    Example:
      lockgate data show data/raw
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.dataset import dataset  # noqa: PLC0415

    clone = open_clone(os.curdir)
    found = dataset(clone, inside(clone, [path])[0])
    if is_json:
        print_json(found)
        return
    size = "unknown" if found.size_bytes is None else size_words(found.size_bytes)
    files = "" if found.file_count is None else f", {counted(found.file_count, 'file')}"
    echo(f"{found.path}: {size}{files}")
    if found.desc:
        echo(f"  {found.desc}")
    echo(f"  pointer  {found.pointer}")
    echo(f"  md5      {found.md5 or 'none yet'}")
    here = "all of it" if found.missing_count == 0 else f"{counted(found.missing_count, 'object')} missing"
    echo(f"  store    {here}")
    echo("versions:" if found.versions else "versions: none committed yet")
    table(
        [
            (
                f"  {version.commit[:10]}",
                when(version.committed_at),
                "removed" if version.md5 is None else size_words(version.size_bytes or 0),
                version.subject,
            )
            for version in found.versions
        ]
    )
