"""`lockgate run`: the work tree as it is, run on the hub."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option, progress_json_option
from lockgate.cli.output import echo, print_json
from lockgate.cli.parameters import parse_parameters


@click.command("run")
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter for this run."
)
@click.option("--force", multiple=True, metavar="STAGE", help="Run a stage though its result is known.")
@click.option("--on", "backend", metavar="BACKEND", help="Run on this backend, whatever the project says.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Only say what would run, and how long it takes.")
@click.option("--memory", metavar="SIZE", help='Memory for each STAGE in this run, as "2 GB".')
@click.option("--walltime", metavar="DURATION", help='Walltime for each STAGE in this run, as "30 min".')
@click.option("--cpus", metavar="NUMBER", help="Cpus for each STAGE in this run.")
@progress_json_option
@click.option("--detach", is_flag=True, help="Queue the run and return; `lockgate fetch` brings the results.")
@json_option
def command(
    stages: tuple[str, ...],
    params: tuple[str, ...],
    force: tuple[str, ...],
    backend: str | None,
    is_dry_run: bool,
    memory: str | None,
    walltime: str | None,
    cpus: str | None,
    detach: bool,
    is_progress_json: bool,
    is_json: bool,
) -> int:
    """Run the work tree as it is, uncommitted work too, and put the results into it.

    Stages whose result is known are not run again. Without STAGE all of them are asked for; with it, those
    and what they depend on. No branch is moved.

    --dry-run starts nothing: it says what would run, why and where, and from earlier runs how long it takes
    and how much memory. --memory, --walltime and --cpus hold for the stages named, without names for all.

    \b
    Examples:
      lockgate run
      lockgate run train -p depth=8
      lockgate run --force report --detach
      lockgate run --dry-run
      lockgate run train --memory "2 GB"

    Exit codes: 0 succeeded, 1 the run failed or was cancelled, 2 refused, 3 the hub cannot be reached.
    """
    from lockgate.cli.forecast import print_forecast  # noqa: PLC0415
    from lockgate.cli.progress import watch  # noqa: PLC0415
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.push import Options, read_resource  # noqa: PLC0415
    from lockgate.hub.worktree.submission import ask, submit  # noqa: PLC0415

    root = find_root(Path.cwd())
    options = Options(
        is_wait=not detach,
        params=parse_parameters(params),
        only=stages,
        force=force,
        backend=backend,
        memory_bytes=read_resource("memory", memory) if memory is not None else None,
        walltime_s=read_resource("walltime", walltime) if walltime is not None else None,
        cpus=read_resource("cpus", cpus) if cpus is not None else None,
    )
    if is_dry_run:
        foreseen = ask(root, options)
        if is_json:
            print_json(foreseen)
        else:
            print_forecast(foreseen)
        return 0
    with watch(is_quiet=is_json, is_json=is_progress_json) as show:
        done = submit(root, options, show)
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
