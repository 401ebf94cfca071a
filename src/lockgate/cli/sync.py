"""`lockgate sync`: commit, pull and push in one; `--undo` takes it back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import bold, echo, print_json

if TYPE_CHECKING:
    from lockgate.hub.sync.conflict import Choice, Conflict
    from lockgate.hub.sync.sync import Synced


@click.command("sync")
@click.option("--mine", multiple=True, metavar="PATH", help="Of a conflict, keep what is here. Repeatable.")
@click.option("--theirs", multiple=True, metavar="PATH", help="Take what the hub has. Repeatable.")
@click.option("--use", multiple=True, metavar="PATH=FILE", help="Put this file's text there. Repeatable.")
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
        return _undo(root, is_json)
    from lockgate.hub.sync.sync import sync  # noqa: PLC0415

    done = sync(root, _choices(mine, theirs, use))
    if is_json:
        print_json(done)
    else:
        _show(done)
    if done.trouble is not None:
        return 3 if done.trouble.is_transient else 2
    return 2 if done.conflicts else 0


def _choices(mine: tuple[str, ...], theirs: tuple[str, ...], use: tuple[str, ...]) -> dict[str, Choice]:
    from lockgate.errors import UserError  # noqa: PLC0415
    from lockgate.hub.sync.conflict import Choice  # noqa: PLC0415

    found = {path: Choice("", "mine") for path in mine} | {path: Choice("", "theirs") for path in theirs}
    for each in use:
        path, equals, file = each.partition("=")
        try:
            if not (equals and path and file):
                raise ValueError("no file is named")
            text = Path(file).read_text("utf-8")
        except (OSError, ValueError) as error:
            cause = (error.strerror if isinstance(error, OSError) else None) or error
            raise UserError(
                f"--use {each}: there is no text to read: {cause}",
                "Write it as PATH=FILE.",
                code="choice-invalid",
            ) from None
        found[path] = Choice("", "edit", text)
    return found


def _undo(root: Path, is_json: bool) -> int:
    from lockgate.hub.sync.undo import undo  # noqa: PLC0415

    done = undo(root)
    if is_json:
        print_json(done)
        return 0
    echo(bold(f"{done.branch} is as it was before the sync"))
    for path in done.changed[:20]:
        echo(f"  {path}")
    if done.on_hub:
        echo(done.on_hub)
    return 0


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
        echo(f"got from the hub: {_commits(done.got)}")
    for note in done.notes:
        echo(f"note: {note}")
    if done.sent:
        echo(f"sent to the hub: {_commits(done.sent)}")
    if done.run:
        echo(f"run {done.run[-8:]} is queued: lockgate logs -f {done.run[-8:]}")
    for conflict in done.conflicts:
        _show_conflict(conflict)
    if done.conflicts:
        echo("Nothing was changed. Say what to keep: lockgate sync --mine PATH --theirs PATH")
    if done.trouble:
        click.echo(f"error: {done.trouble.message}\n  {done.trouble.hint} [{done.trouble.code}]", err=True)


_KINDS = {
    "text": "both changed the same lines",
    "notebook": "both changed the same cells",
    "binary": "both changed it, and it is no text",
    "deleted-by-me": "removed here, changed on the hub",
    "deleted-by-them": "changed here, removed on the hub",
}


def _show_conflict(conflict: Conflict) -> None:
    cells = ": " + ", ".join(cell.label for cell in conflict.cells) if conflict.cells else ""
    echo(f"{bold(conflict.path)}: {_KINDS[conflict.kind]}{cells}")


def _commits(count: int) -> str:
    return f"{count} commit{'' if count == 1 else 's'}"
