"""`lockgate sync`: commit, pull and push in one; `--undo` takes it back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.conflicts import choice_options, choices_of, commits, show_conflict, take_back
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json

if TYPE_CHECKING:
    from lockgate.hub.sync.sync import Synced


@click.command("sync")
@choice_options("the hub")
@click.option("--undo", "is_undo", is_flag=True, help="Put back what was before the last sync.")
@json_option
def command(
    mine: tuple[str, ...], theirs: tuple[str, ...], use: tuple[str, ...], is_undo: bool, is_json: bool
) -> int:
    """Commit what is changed, merge the hub's state, and push.

    Files that are too large for git become data. Where both sides changed the same, nothing is touched until
    it is said which is to be kept; no file ever gets marks. Everything is written down before: --undo puts
    files, branch and index back as they were.

    \b
    Examples:
      lockgate sync
      lockgate sync --theirs report.ipynb
      lockgate sync --undo
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415

    root = find_root(Path.cwd())
    if is_undo:
        return take_back(root, "sync", is_json)
    from lockgate.hub.sync.sync import sync  # noqa: PLC0415

    done = sync(root, choices_of(mine, theirs, use))
    if is_json:
        print_json(done)
    else:
        _show(done)
    if done.trouble is not None:
        return 3 if done.trouble.is_transient else 2
    return 2 if done.conflicts else 0


def _show(done: Synced) -> None:
    if done.mended:
        echo(done.mended)
    if done.is_nothing:
        echo("Nothing to sync: the hub has all of it.")
    if done.committed:
        echo(f"committed: {done.committed}")
    for path in done.data:
        echo(f"too large for git, so it is data now: {path}")
    if done.got:
        echo(f"got from the hub: {commits(done.got)}")
    for note in done.notes:
        echo(f"note: {note}")
    if done.sent:
        echo(f"sent to the hub: {commits(done.sent)}")
    if done.run:
        echo(f"run {done.run[-8:]} is queued: lockgate logs -f {done.run[-8:]}")
    for conflict in done.conflicts:
        show_conflict(conflict)
    if done.conflicts:
        echo("Nothing was changed. Say what to keep: lockgate sync --mine PATH --theirs PATH")
    if done.trouble:
        click.echo(f"error: {done.trouble.message}\n  {done.trouble.hint} [{done.trouble.code}]", err=True)
