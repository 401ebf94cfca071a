"""`lockgate hub reindex`: the index anew, from git."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("reindex")
@hub_option
@json_option
def command(hub: Path | None, is_json: bool) -> None:
    """Build a hub's index anew from its projects' activity chains and queues. The old one is kept beside it.

    The search index of the hub's service, where there is one, is built anew too. Runs that had not ended are
    queued again; jobs that were done are not repeated. Exit code 1: a part of a chain could not be read, and
    what it told is missing.

    \b
    Example:
      lockgate hub reindex --hub /srv/hub
    """
    from lockgate.hub.operation.search_rebuild import rebuild_search  # noqa: PLC0415
    from lockgate.hub.reindex import reindex  # noqa: PLC0415

    place = choose_hub(hub)
    done = reindex(place)
    is_searched = rebuild_search(place) is not None
    if is_json:
        print_json(done)
    else:
        echo(f"{done.run_count} runs, {done.result_count} results, {done.queued_count} queued again")
        if done.old is not None:
            echo(f"the old index is {done.old}")
        if is_searched:
            echo("the search index was built anew too")
        for problem in done.problems:
            echo(f"not read: {problem}")
    if done.problems:
        raise click.exceptions.Exit(1)
