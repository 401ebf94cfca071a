"""`lockgate notebook filter`: git's filter that keeps outputs out."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("filter")
def command() -> None:
    """Answer git what of notebooks it is to have; git calls it, once for all notebooks of a command."""
    from lockgate.errors import UserError  # noqa: PLC0415
    from lockgate.hub.notebooks.filter import ProtocolError, serve  # noqa: PLC0415
    from lockgate.hub.notebooks.policy import Executed  # noqa: PLC0415
    from lockgate.project.pipeline import LOCK_FILE  # noqa: PLC0415

    lock = Path(LOCK_FILE)
    executed = Executed(lock.read_bytes() if lock.is_file() else None)
    try:
        serve(
            sys.stdin.buffer,
            sys.stdout.buffer,
            executed,
            lambda words: click.echo(f"lockgate: {words}", err=True),
        )
    except ProtocolError as problem:
        raise UserError(str(problem), "See: lockgate notebook on", code="notebook-filter") from None
