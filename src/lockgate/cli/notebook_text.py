"""`lockgate notebook text`: what `git log -p` and `git show` compare."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("text")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(file: Path) -> None:
    """Print a notebook as text, cell by cell; git calls it.

    \b
    Example:
      lockgate notebook text report.ipynb
    """
    from lockgate.project.notebook_text import text_of_notebook  # noqa: PLC0415

    sys.stdout.buffer.write(text_of_notebook(file.read_bytes()).encode("utf-8", "replace"))
