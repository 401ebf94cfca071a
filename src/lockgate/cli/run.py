"""`lockgate run`: the work tree as it is, run on the hub."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.cli.parameters import parse_parameters


@click.command("run")
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter for this run."
)
@click.option("--force", multiple=True, metavar="STAGE", help="Run a stage though its result is known.")
@click.option("--on", "backend", metavar="BACKEND", help="Run on this backend, whatever the project says.")
@click.option("--detach", is_flag=True, help="Queue the run and return; `lockgate fetch` brings the results.")
@json_option
def command(
    stages: tuple[str, ...],
    params: tuple[str, ...],
    force: tuple[str, ...],
    backend: str | None,
    detach: bool,
    is_json: bool,
) -> int:
    """Run the work tree as it is, uncommitted work too, and put the results into it.

    Stages whose result is known are not run again. Without STAGE all of them are asked for; with it, those
    and what they depend on. No branch is moved.

    \b
    Examples:
      lockgate run
      lockgate run train -p depth=8
      lockgate run --force report --detach

    Exit codes: 0 succeeded, 1 the run failed or was cancelled, 2 refused, 3 the hub cannot be reached.
    """
    from lockgate.cli.progress import watch  # noqa: PLC0415
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.submission import submit  # noqa: PLC0415

    root = find_root(Path.cwd())
    with watch(is_quiet=is_json) as show:
        done = submit(
            root,
            only=stages,
            params=parse_parameters(params),
            force=force,
            backend=backend,
            is_wait=not detach,
            show=show,
        )
    if is_json:
        print_json(done)
    elif done.ended is None:
        echo(f"follow: lockgate logs {done.run[-8:]} -f   results: lockgate fetch {done.run[-8:]}")
    else:
        _summarise(done.fetched.written + done.large, done.fetched.kept, done.run)
    return 0 if done.ended is None or done.ended.state == "succeeded" else 1


def _summarise(written: tuple[str, ...], kept: tuple[str, ...], run: str) -> None:
    shown = [path for path in written if path != "lockgate.lock"]
    if shown:
        more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
        echo(f"in the work tree: {', '.join(shown[:12])}{more}")
    if kept:
        echo(f"left as you edited them meanwhile: {', '.join(kept[:12])}")
        echo(f"  to take the run's: lockgate fetch {run[-8:]} --force")
