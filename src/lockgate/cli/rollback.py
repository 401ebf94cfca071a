"""`lockgate rollback`: back to the state of a run or a cell, as a new commit or a new branch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import bold, echo, print_json

if TYPE_CHECKING:
    from lockgate.hub.worktree.rollback import RolledBack, State

NAMED_AT_MOST = 10


@click.command("rollback")
@click.argument("state", metavar="RUN|ACTIVITY")
@click.option("--branch", metavar="NAME", help="Begin a branch there instead, and check it out.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@json_option
def command(state: str, branch: str | None, is_sure: bool, is_json: bool) -> None:
    """Go back to the state of a run, or of an entry of `lockgate activity`, as a new commit.

    A run that succeeded stands for its results, another for what was pushed; a cell for the work tree as it
    was executed. Work tree and branch are brought to that state; nothing of the history is lost. Uncommitted
    work is kept under a ref first, and the command that brings it back is printed. Ignored files are never
    written over. With --branch your branch stays, and a new one begins at that state.

    \b
    Examples:
      lockgate rollback 8F3KQ2ZD
      lockgate rollback 3fa91c20bb --yes
      lockgate rollback 3fa91c20bb --branch try-again
    """
    from lockgate.git.switch import require_branch  # noqa: PLC0415
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree import history, rollback  # noqa: PLC0415

    root = find_root(Path.cwd())
    require_branch(root)
    warning = history.refresh(root).warning
    if warning and not is_json:
        click.echo(f"note: {warning}", err=True)
    found = _state(root, state)
    if branch is not None:
        from lockgate.hub.worktree.returning import branch_off  # noqa: PLC0415

        done = branch_off(root, found, branch)
        if is_json:
            print_json(done)
        else:
            _show(done, f"{done.branch} begins at {done.state.title}")
        return
    if not is_sure:
        _ask(found, rollback.differences(root, found), is_json)
    done = rollback.roll_back(root, found)
    if is_json:
        print_json(done)
    else:
        _show(done, f"{done.branch} is back at {done.state.title}")


def _state(root: Path, text: str) -> State:
    """Others' journals come with a sync; one that is asked for before is brought now."""
    from lockgate.errors import LockgateError, UserError  # noqa: PLC0415
    from lockgate.hub.worktree.journal import fetch_journals  # noqa: PLC0415
    from lockgate.hub.worktree.remembering import state_named  # noqa: PLC0415

    try:
        return state_named(root, text)
    except UserError as error:
        if error.code != "run-unknown":
            raise
        try:
            fetch_journals(root)
        except LockgateError:
            raise error from None
    return state_named(root, text)


def _ask(state: State, paths: list[str], is_json: bool) -> None:
    from lockgate.errors import UserError  # noqa: PLC0415

    if is_json or not sys.stdin.isatty():
        raise UserError(
            "going back changes files, and nobody can be asked here",
            "Say so: lockgate rollback … --yes",
            code="confirmation-needed",
        )
    echo(f"Going back to {state.title} changes {len(paths)} committed file{'' if len(paths) == 1 else 's'}:")
    for path in paths[:NAMED_AT_MOST]:
        echo(f"  {path}")
    if len(paths) > NAMED_AT_MOST:
        echo(f"  … and {len(paths) - NAMED_AT_MOST} more")
    click.confirm("Go back?", abort=True)


def _show(done: RolledBack, said: str) -> None:
    what = " (what was pushed: it did not succeed)" if done.state.is_snapshot else ""
    echo(bold(f"{said}{what}: {done.commit[:10]}"))
    if done.undo is not None:
        echo(f"Your uncommitted work is kept as {done.undo}. To bring it back:")
        echo(f"  {done.bring_back}")
    if done.large:
        more = " …" if len(done.large) > 3 else ""
        echo(f"Large artifacts are not in git: {', '.join(done.large[:3])}{more}")
        echo(f"  lockgate fetch {done.state.trailer[-8:]}")
