"""`lockgate hub shell`: the forced command of members' ssh keys."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.output import printable
from lockgate.errors import LockgateError

#: As git-shell(1) ends where it refuses.
REFUSED = 128


@click.command("shell")
@click.option("--member", required=True, metavar="NAME", help="Whose key it is.")
@hub_option
def command(member: str, hub: Path | None) -> int:
    """Answer what a member asks for over ssh: git, and the questions of `lockgate`. It reads
    SSH_ORIGINAL_COMMAND, never gives a shell, and is called by sshd: see `lockgate hub ssh-keys`.
    """
    from lockgate.hub.shell import answer  # noqa: PLC0415

    try:
        answer(choose_hub(hub), member, os.environ)
    except LockgateError as error:
        sys.stderr.write(printable(f"lockgate: {error.message}. {error.hint} [{error.code}]") + "\n")
        return REFUSED
