"""`lockgate hook`: what the hooks of a clone call."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lockgate.cli.output import printable


@click.command("hook")
@click.argument("name", type=click.Choice(["pre-commit", "pre-push"]))
@click.argument("arguments", nargs=-1)
def command(name: str, arguments: tuple[str, ...]) -> None:
    """Do what a hook that `lockgate init` put into this clone is for; git calls it.

    pre-commit stops a commit that adds a file above git_limit; pre-push sends the data of what is pushed to a
    hub.
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.clone_hooks import check_commit, send_pushed  # noqa: PLC0415

    root = find_root(Path.cwd())
    if name == "pre-commit":
        check_commit(root)
    elif len(arguments) == 2:
        sent = send_pushed(root, arguments[0], arguments[1], sys.stdin.read().splitlines())
        if sent.count:
            sys.stderr.write(printable(sent.words) + "\n")
