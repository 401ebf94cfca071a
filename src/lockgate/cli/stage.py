"""`lockgate stage`: stages from scripts."""

from __future__ import annotations

from typing import ClassVar

import click

from lockgate.cli.group import LazyGroup


class StageGroup(LazyGroup):
    """The commands of `lockgate stage`."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "write": ("lockgate.cli.stage_write", "Make a stage of a script read from standard input."),
        "show": ("lockgate.cli.stage_show", "Print the script of a stage made so."),
    }


@click.group("stage", cls=StageGroup)
def command() -> None:
    """Stages from scripts: what %%stage in a notebook calls.

    \b
    Example:
      lockgate stage write clean --needs raw.csv --makes clean.csv < clean.py
    """
