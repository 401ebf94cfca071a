"""`lockgate batch`: one script as a batch job."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option, progress_json_option
from lockgate.cli.output import echo, print_json


@click.command("batch", context_settings={"allow_interspersed_args": False})
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--cpus", metavar="NUMBER", help="Cpus for the script.")
@click.option("--memory", metavar="SIZE", help='Memory for the script, as "2 GB".')
@click.option("--walltime", metavar="DURATION", help='Walltime for the script, as "30 min".')
@click.option("--on", "backend", metavar="BACKEND", help="Run on this backend, whatever the project says.")
@click.option("--needs", multiple=True, metavar="PATH", help="What it reads; left out, the whole project.")
@click.option("--makes", multiple=True, metavar="PATH", help="What it makes, and you get back.")
@progress_json_option
@json_option
def command(
    script: str,
    arguments: tuple[str, ...],
    cpus: str | None,
    memory: str | None,
    walltime: str | None,
    backend: str | None,
    needs: tuple[str, ...],
    makes: tuple[str, ...],
    is_progress_json: bool,
    is_json: bool,
) -> int:
    """Run a script of the project as a batch job, without declaring a stage for it.

    Options stand before SCRIPT; what follows it is the script's own. What it --makes appears in the work
    tree, and lockgate.toml stays as it is.

    \b
    Examples:
      lockgate batch train.py
      lockgate batch --cpus 4 --makes model.pkl train.py --depth 8

    Exit codes: 0 succeeded, 1 the run failed or was cancelled, 2 refused, 3 the hub cannot be reached.
    """
    from lockgate.cli.progress import watch  # noqa: PLC0415
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.push import Options, read_resource  # noqa: PLC0415
    from lockgate.hub.worktree.batch_script import run_script  # noqa: PLC0415

    options = Options(
        is_wait=True,
        backend=backend,
        memory_bytes=read_resource("memory", memory) if memory is not None else None,
        walltime_s=read_resource("walltime", walltime) if walltime is not None else None,
        cpus=read_resource("cpus", cpus) if cpus is not None else None,
    )
    with watch(is_quiet=is_json, is_json=is_progress_json) as show:
        done = run_script(find_root(Path.cwd()), script, arguments, needs, makes, options, show)
    if is_json:
        print_json(done)
    else:
        for path in done.fetched.written:
            echo(path)
    return 0 if done.ended is not None and done.ended.state == "succeeded" else 1
