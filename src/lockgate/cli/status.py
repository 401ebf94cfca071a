"""`lockgate status`: what would run, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json, state_words, table
from lockgate.cli.parameters import parse_parameters
from lockgate.project.quantities import counted

if TYPE_CHECKING:
    from lockgate.hub.standing import Standing

_NAMED_AT_MOST = 40


@click.command("status")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="As `lockgate run -p`.")
@click.option("--all", "is_all", is_flag=True, help="Name the stages too that need not run.")
@click.option("--exit-code", "is_exit_code", is_flag=True, help="Exit with 1 if anything would run.")
@json_option
def command(params: tuple[str, ...], is_all: bool, is_exit_code: bool, is_json: bool) -> int:
    """Say which stages a run of the work tree would execute, and why. Never waits for anything.

    \b
    Example:
      lockgate status
      lockgate status -p depth=8
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.standing import standing  # noqa: PLC0415

    found = standing(find_root(Path.cwd()), parse_parameters(params))
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
