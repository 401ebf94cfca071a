"""`lockgate git-credential`: what git asks when a hub's service wants to know who pushes."""

from __future__ import annotations

import sys

import click


@click.command("git-credential")
@click.argument("operation", type=click.Choice(["get", "store", "erase"]))
def command(operation: str) -> None:
    """Give git the token of a hub, by git's own protocol (gitcredentials(7)). `lockgate login` sets it up.

    \b
    Example:
      printf 'protocol=https\\nhost=hub.example.org\\n' | lockgate git-credential get
    """
    from lockgate.hub.worktree.login import answer_git  # noqa: PLC0415

    asked = dict(line.rstrip("\n").partition("=")[::2] for line in sys.stdin)
    if operation == "get":
        sys.stdout.write(answer_git(asked))
