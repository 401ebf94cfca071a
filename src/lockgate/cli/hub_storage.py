"""`lockgate hub storage`: how much room each project takes."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.project.quantities import size_words

_KINDS = ("git", "data", "artifacts", "runtimes")


@click.command("storage")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...")
@hub_option
@json_option
def command(projects: tuple[str, ...], hub: Path | None, is_json: bool) -> None:
    """Say how much room projects take on a hub, all or those named: git, data that was sent, large artifacts,
    built software. What several projects use is counted with each.

    \b
    Example:
      lockgate hub storage --hub /srv/hub
    """
    from lockgate.hub.operation.storage import storage_of  # noqa: PLC0415

    place = choose_hub(hub)
    found = [storage_of(place, project) for project in projects or place.projects()]
    if is_json:
        print_json(found)
        return
    for each in found:
        sizes = (each.git_bytes, each.data_bytes, each.artifacts_bytes, each.runtimes_bytes)
        words = (f"{kind} {size_words(size)}" for kind, size in zip(_KINDS, sizes, strict=True))
        echo(f"{each.project}: {', '.join(words)}")
