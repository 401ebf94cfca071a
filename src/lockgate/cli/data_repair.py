"""`lockgate data repair`: history that is too large for git becomes history with data."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.project.quantities import counted, size_words


@click.command("repair")
@json_option
def command(is_json: bool) -> None:
    """Make data of the files above git_limit in the commits that the hub does not have yet.

    Branches and tags lead to new commits afterwards, with the same authors, dates and messages; the old ones
    are kept. The files stay in the work tree. Signatures of rewritten commits go.

    \b
    Example:
      lockgate data repair
      git push hub main
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.history_repair import repair  # noqa: PLC0415

    done = repair(find_root(Path.cwd()))
    if is_json:
        print_json(done)
        return
    if not done.files:
        echo("nothing to repair: no commit that the hub lacks holds a file above git_limit")
        return
    for file in done.files:
        echo(f"data now: {file.path} ({size_words(file.size_bytes)})")
    if done.is_resumed:
        echo("the rest of an earlier repair was done")
        return
    echo(f"rewritten: {counted(done.commit_count, 'commit')} of {', '.join(done.refs)}")
    if done.unsigned_count:
        echo(f"{counted(done.unsigned_count, 'signature')} held for the old commits, and went")
    echo(f"as it was: git for-each-ref {done.backup}")
