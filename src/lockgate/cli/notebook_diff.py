"""`lockgate notebook diff`: git's external diff for notebooks."""

from __future__ import annotations

import sys

import click


@click.command("diff", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, required=True)
def command(arguments: tuple[str, ...]) -> None:
    """Show what differs between two notebooks: PATH OLD-FILE OLD-ID OLD-MODE NEW-FILE NEW-ID NEW-MODE.

    git calls it; nbdime shows it where that is installed.
    """
    if len(arguments) < 7:
        raise click.UsageError("git gives seven arguments; to compare two files yourself: nbdiff OLD NEW")
    from lockgate.hub.notebooks.diff_driver import show  # noqa: PLC0415

    sys.stdout.write(show(arguments))
