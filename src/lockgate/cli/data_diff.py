"""`lockgate data diff`: which files differ between two versions."""

from __future__ import annotations

import os

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.project.quantities import size_words

_NAMED_AT_MOST = 40


@click.command("diff")
@click.argument("old", default="HEAD", metavar="[REV")
@click.argument("new", required=False, metavar="[REV]]")
@json_option
def command(old: str, new: str | None, is_json: bool) -> None:
    """Say which files of the data differ between two commits; without the second, from the pointers here.

    \b
    Example:
      lockgate data diff HEAD~1
      lockgate data diff v1 v2
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.diff import diff  # noqa: PLC0415

    found = diff(open_clone(os.curdir), old, new)
    if is_json:
        print_json(found)
        return
    if not found:
        echo("no difference")
    for each in found:
        sizes = [size_words(size) for size in (each.old_bytes, each.new_bytes) if size is not None]
        echo(f"{each.what}: {each.path} ({' -> '.join(sizes) or 'size unknown'})")
        if not each.is_whole:
            echo("  which files is not known: a listing is not in the store (lockgate data get)")
        named = [change for change in each.files if change.path]
        for change in named[:_NAMED_AT_MOST]:
            size = "" if change.size_bytes is None else f" ({size_words(change.size_bytes)})"
            echo(f"  {change.what}: {change.path}{size}")
        if len(named) > _NAMED_AT_MOST:
            echo(f"  … and {len(named) - _NAMED_AT_MOST} more")
