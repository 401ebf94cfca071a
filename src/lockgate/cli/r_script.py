"""`lockgate r-script`: where the file for R lies."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.output import echo


@click.command("r-script")
def command() -> None:
    """Print the path of the file that gives R the functions of Lockgate.

    \b
    Example, in R:
      source(system2("lockgate", "r-script", stdout = TRUE))
    """
    echo(str(Path(__file__).parents[1] / "notebook" / "lockgate.R"))
