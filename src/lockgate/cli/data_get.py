"""`lockgate data get`: the data that pointers stand for."""

from __future__ import annotations

import os

import click

from lockgate.cli.data_progress import tell
from lockgate.cli.data_report import got_lines, inside, write
from lockgate.cli.options import json_option
from lockgate.cli.output import print_json


@click.command("get")
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@click.option("--rev", metavar="REV", help="The data of another commit; the pointers here stay as they are.")
@click.option("-f", "--force", "is_forced", is_flag=True, help="Overwrite edited files too.")
@click.option(
    "--remote",
    metavar="NAME|URL",
    help="Bring what the store lacks from here, not from the project's remote or hub.",
)
@json_option
def command(
    paths: tuple[str, ...], rev: str | None, is_forced: bool, remote: str | None, is_json: bool
) -> None:
    """Bring the data here to what its pointers say. Only files that differ are touched.

    What the store does not have comes from the project's remote, else from its hub.

    A file whose bytes are nowhere else is not overwritten without --force. Files of no version stay.

    \b
    Example:
      git checkout v1 && lockgate data get
      lockgate data get data/raw --rev v1
    """
    from lockgate.data.chosen import choose  # noqa: PLC0415
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.get import get  # noqa: PLC0415
    from lockgate.data.pointed import find_outputs  # noqa: PLC0415
    from lockgate.data.remote_source import RemoteSource  # noqa: PLC0415
    from lockgate.hub.exchanging.hub_source import HubSource  # noqa: PLC0415

    clone = open_clone(os.curdir)
    if rev is None:
        outputs = find_outputs(clone)
    else:
        from lockgate.data.versions import outputs_at  # noqa: PLC0415

        outputs = outputs_at(clone, rev)
    named = RemoteSource(remote, tell)
    sources = (named,) if remote is not None else (named, HubSource(tell))
    got = get(clone, choose(outputs, inside(clone, paths)), sources, is_forced)
    if not is_json:
        write(got_lines(got))
        return
    print_json(
        [
            {"path": each.output.path, "placed": each.placed, "removed": each.removed, "kept": each.kept}
            for each in got
        ]
    )
