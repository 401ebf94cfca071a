"""`lockgate data put`: data to a remote."""

from __future__ import annotations

import os

import click

from lockgate.cli.data_progress import tell
from lockgate.cli.data_report import inside
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("put")
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@click.option("--rev", metavar="REV", help="The data of another commit.")
@click.option("--remote", metavar="NAME|URL", help="Send it here, not to the project's remote.")
@json_option
def command(paths: tuple[str, ...], rev: str | None, remote: str | None, is_json: bool) -> None:
    """Send the data that the pointers name to the project's remote, as far as it is not there.

    It lies there as DVC lays it, so a colleague may `dvc pull` it. A call that broke off is gone on with by
    the next one.

    \b
    Example:
      lockgate data put
      lockgate data put data/raw --remote s3://bucket/prefix
    """
    from lockgate.data.chosen import choose  # noqa: PLC0415
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.pointed import find_outputs  # noqa: PLC0415
    from lockgate.data.put import put  # noqa: PLC0415
    from lockgate.data.remote_choice import choose_remote  # noqa: PLC0415
    from lockgate.data.versions import outputs_at  # noqa: PLC0415
    from lockgate.project.quantities import counted, size_words  # noqa: PLC0415

    clone = open_clone(os.curdir)
    outputs = choose(find_outputs(clone) if rev is None else outputs_at(clone, rev), inside(clone, paths))
    place = choose_remote(clone, remote)
    sent = put(clone, outputs, place, tell)
    if is_json:
        print_json(
            {"remote": place.url, "sent": sent.moved, "sent_bytes": sent.moved_bytes, "already": sent.already}
        )
    elif sent.moved:
        echo(f"{counted(sent.moved, 'object')} sent, {size_words(sent.moved_bytes)} -> {place.url}")
    else:
        echo(f"nothing to send: {place.url} has it all")
