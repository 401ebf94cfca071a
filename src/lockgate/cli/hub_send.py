"""`lockgate hub send`: data of this clone to its hub."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("send")
@click.argument("commits", nargs=-1, metavar="[COMMIT]...")
@json_option
def command(commits: tuple[str, ...], is_json: bool) -> int:
    """Send the data that these commits point to, and the hub lacks, from this clone; without COMMIT, that of
    the commit checked out. `lockgate run` and the hook that `lockgate init` installs do it by themselves.

    Exit code 1: neither the hub nor this clone has all of it.

    \b
    Example:
      lockgate hub send
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.exchanging.clone_data import digests_at, send_data  # noqa: PLC0415

    root = find_root(Path.cwd())
    digests = [md5 for commit in commits or ("HEAD",) for md5 in digests_at(root, commit)]
    sent = send_data(root, digests)
    if is_json:
        print_json(sent)
    else:
        echo(sent.words if sent.count else "nothing to send")
        for md5 in sent.absent:
            echo(
                f"not here either: {md5}; a clone that has it can send it, or the project's remote: dvc pull"
            )
    return 1 if sent.absent else 0
