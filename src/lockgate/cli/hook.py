"""`lockgate hook`: what the hooks of a clone call."""

from __future__ import annotations

import click


@click.command("hook")
@click.argument("name", type=click.Choice(["pre-commit", "pre-push"]))
@click.argument("arguments", nargs=-1)
def command(name: str, arguments: tuple[str, ...]) -> None:
    """Do what a hook that `lockgate init` put into this clone is for; git calls it.

    pre-commit stops a commit that adds a file above git_limit; pre-push sends the data of what is pushed to a
    hub.
    """
    from lockgate.cli.hook_quick import check, send  # noqa: PLC0415

    if name == "pre-commit":
        check()
    elif len(arguments) == 2:
        send(*arguments)
