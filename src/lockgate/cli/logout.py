"""`lockgate logout`: leaving a hub's service."""

from __future__ import annotations

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("logout")
@click.argument("url")
@json_option
def command(url: str, is_json: bool) -> None:
    """Forget the login to a hub's service, and have the hub revoke its token.

    \b
    Example:
      lockgate logout https://hub.example.org
    """
    from lockgate.hub.worktree.login import log_out  # noqa: PLC0415

    done = log_out(url)
    if is_json:
        print_json(done)
        return
    echo(f"logged out of {done.base}" if done.was_there else f"there was no login to {done.base}")
    for warning in done.warnings:
        click.echo(f"note: {warning}", err=True)
