"""`lockgate fetch`: a run's artifacts into the work tree."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json

_NAMED_AT_MOST = 20


@click.command("fetch")
@click.argument("run", required=False)
@click.option("--force", "is_forced", is_flag=True, help="Write over files that were edited since, too.")
@json_option
def command(run: str | None, is_forced: bool, is_json: bool) -> None:
    """Put the artifacts of a run into the work tree; no branch is moved.

    Of a run that failed these are what it made until then, and its logs under lockgate.failed/. Without RUN:
    the large artifacts that lockgate.lock names and git does not hold.

    \b
    Examples:
      lockgate fetch 8F3KQ2ZD
      lockgate fetch
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.fetching import fetch_named, fetch_run  # noqa: PLC0415

    root = find_root(Path.cwd())
    done = fetch_named(root) if run is None else fetch_run(root, run, is_forced=is_forced)
    if is_json:
        print_json(done)
        return
    for path in done.written[:_NAMED_AT_MOST]:
        echo(path)
    if len(done.written) > _NAMED_AT_MOST:
        echo(f"… and {len(done.written) - _NAMED_AT_MOST} more")
    if not done.written and not done.kept:
        echo("nothing to fetch: it is all here")
    for path in done.kept:
        echo(f"left as you edited it: {path} (--force takes the run's)")
