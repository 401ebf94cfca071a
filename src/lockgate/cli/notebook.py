"""`lockgate notebook`: how git treats notebooks in this clone."""

from __future__ import annotations

from typing import ClassVar

import click

from lockgate.cli.group import LazyGroup


class NotebookGroup(LazyGroup):
    """The commands of `lockgate notebook`."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "on": ("lockgate.cli.notebook_on", "Have git merge and show notebooks cell by cell."),
        "off": ("lockgate.cli.notebook_off", "Take out of this clone what `on` wrote."),
        "merge": ("lockgate.cli.notebook_merge", "Merge three notebooks; git calls it."),
        "diff": ("lockgate.cli.notebook_diff", "Show what differs between two notebooks; git calls it."),
        "text": ("lockgate.cli.notebook_text", "Print a notebook as text; git calls it."),
        "filter": ("lockgate.cli.notebook_filter", "Keep outputs out of git; git calls it."),
    }


@click.group("notebook", cls=NotebookGroup)
def command() -> None:
    """How git treats notebooks in this clone; init, run and sync set it up.

    \b
    Example:
      lockgate notebook on
    """
