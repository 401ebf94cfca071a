"""`lockgate status`: what would run, and why."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json, state_words, table
from lockgate.cli.parameters import parse_parameters
from lockgate.project.quantities import counted

if TYPE_CHECKING:
    from lockgate.hub.worktree.standing import Standing, Undeclared

_NAMED_AT_MOST = 40


@click.command("status")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="As `lockgate run -p`.")
@click.option("--all", "is_all", is_flag=True, help="Name the stages too that need not run.")
@click.option("--exit-code", "is_exit_code", is_flag=True, help="Exit with 1 if anything would run.")
@click.option(
    "--add", "added", multiple=True, metavar="PATH", help="Declare a file that stages were seen to use."
)
@click.option(
    "--ignore", "ignored", multiple=True, metavar="WHAT", help="Let stages use it undeclared; * for anything."
)
@json_option
def command(
    params: tuple[str, ...],
    is_all: bool,
    is_exit_code: bool,
    added: tuple[str, ...],
    ignored: tuple[str, ...],
    is_json: bool,
) -> int:
    """Say which stages a run of the work tree would execute, and why. Never waits for anything.

    Where the project asks for it (observe = true), tell too what stages were seen to use and do not declare.
    --add and --ignore write what you make of that into lockgate.toml, and do nothing else.

    \b
    Example:
      lockgate status
      lockgate status -p depth=8
      lockgate status --add settings.ini --ignore env:USER
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.standing import standing  # noqa: PLC0415

    root = find_root(Path.cwd())
    found = standing(root, parse_parameters(params))
    if added or ignored:
        from lockgate.hub.worktree.declaring import declare  # noqa: PLC0415

        done = declare(root, found.undeclared, added, ignored)
        if is_json:
            print_json(done)
        for line in () if is_json else done:
            echo(f"lockgate.toml: {line}")
        return 0
    if is_json:
        print_json(found)
    else:
        _print(found, is_all)
    return 1 if is_exit_code and not found.is_nothing_to_do else 0


def _print(found: Standing, is_all: bool) -> None:
    to_run = [stage for stage in found.stages if stage.reused is None]
    total = len(found.stages)
    if not to_run:
        echo(f"nothing to do: {counted(total, 'stage')}, known already")
    else:
        known = f", {total - len(to_run)} known already" if len(to_run) < total else ""
        echo(f"{len(to_run)} of {counted(total, 'stage')} would run{known}")
    named = list(found.stages) if is_all else to_run[:_NAMED_AT_MOST]
    table(
        [
            (
                f"  {stage.name}",
                state_words("cached") if stage.reused else "run" if stage.fingerprint else "maybe",
                stage.reason,
            )
            for stage in named
        ]
    )
    if not is_all and len(to_run) > _NAMED_AT_MOST:
        echo(f"  … and {len(to_run) - _NAMED_AT_MOST} more")
    for note in found.notes:
        echo(f"note: {note}")
    _print_undeclared(found.undeclared)


def _print_undeclared(undeclared: Sequence[Undeclared]) -> None:
    if not undeclared:
        return
    from lockgate.runs.observation import in_words, is_path_inside  # noqa: PLC0415

    echo()
    echo("used, and not declared:")
    rows = []
    for each in undeclared[:_NAMED_AT_MOST]:
        choices = "[add] [ignore]" if is_path_inside(each.use.what) else "[ignore]"
        rows.append((f"  {each.stage}", choices, in_words(each.use)))
    table(rows)
    if len(undeclared) > _NAMED_AT_MOST:
        echo(f"  … and {len(undeclared) - _NAMED_AT_MOST} more: --json shows all")
    first = next((each for each in undeclared if is_path_inside(each.use.what)), undeclared[0]).use.what
    option = "--add" if is_path_inside(first) else "--ignore"
    echo(f"Declare it, or let it be: lockgate status {option} {shlex.quote(first)}")
