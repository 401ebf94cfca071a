"""`lockgate merge`: another branch into this one, undone like a sync."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.conflicts import choice_options, choices_of, commits, show_conflict, take_back
from lockgate.cli.options import json_option
from lockgate.cli.output import bold, echo, print_json

if TYPE_CHECKING:
    from lockgate.hub.sync.merge_branch import BranchMerged

_LISTED = 20


@click.command("merge")
@click.argument("branch", required=False)
@choice_options("the branch")
@click.option("--dry-run", "is_dry", is_flag=True, help="Only say what would come of it.")
@click.option("--undo", "is_undo", is_flag=True, help="Put back what was before the last merge.")
@json_option
def command(
    branch: str | None,
    mine: tuple[str, ...],
    theirs: tuple[str, ...],
    use: tuple[str, ...],
    is_dry: bool,
    is_undo: bool,
    is_json: bool,
) -> int:
    """Merge a branch into the one that is checked out.

    What is edited is committed first. Where both branches changed the same, nothing is touched until it is
    said which is to be kept; no file ever gets marks. Everything is written down before: --undo puts files,
    branch and index back as they were. The hub gets it with the next sync.

    \b
    Examples:
      lockgate merge trial --dry-run
      lockgate merge trial --theirs report.ipynb
      lockgate merge --undo
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415

    if is_undo == (branch is not None):
        raise click.UsageError("Name a branch, or give --undo.")
    root = find_root(Path.cwd())
    if branch is None:
        return take_back(root, "merge", is_json)
    from lockgate.hub.sync.merge_branch import merge_branch  # noqa: PLC0415

    done = merge_branch(root, branch, choices_of(mine, theirs, use), is_dry=is_dry)
    if is_json:
        print_json(done)
    else:
        _show(done)
    return 2 if done.conflicts else 0


def _show(done: BranchMerged) -> None:
    if done.mended:
        echo(done.mended)
    would = "" if done.is_done else "would be "
    if done.is_nothing:
        echo(f"Nothing to merge: {done.into} has all of {done.branch}.")
    elif not done.conflicts:
        echo(bold(f"{would}merged into {done.into}: {commits(done.commits)} of {done.branch}"))
        if done.committed:
            echo(f"{would}committed first: {done.committed}")
        for path in done.data:
            echo(f"too large for git, so it {'is data now' if done.is_done else 'would be data'}: {path}")
        for path in done.changed[:_LISTED]:
            echo(f"  {path}")
        if len(done.changed) > _LISTED:
            echo(f"  and {len(done.changed) - _LISTED} more")
        if done.is_done:
            echo("Undo it: lockgate merge --undo; send it: lockgate sync")
    for note in done.notes:
        echo(f"note: {note}")
    for conflict in done.conflicts:
        show_conflict(conflict)
    if done.conflicts:
        echo(f"Nothing was changed. Say what to keep: lockgate merge {done.branch} --mine PATH --theirs PATH")
