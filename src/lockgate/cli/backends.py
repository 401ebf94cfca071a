"""`lockgate backends`: where runs may go."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import click

from lockgate.cli.group import LazyGroup
from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import print_json, table
from lockgate.project.quantities import counted


class BackendsGroup(LazyGroup):
    table: ClassVar[dict[str, tuple[str, str]]] = {
        "check": ("lockgate.cli.backends_check", "Send a tiny job through one and tell what is wrong."),
    }


@click.group("backends", cls=BackendsGroup, invoke_without_command=True)
@hub_options
@json_option
@click.pass_context
def command(context: click.Context, hub: Path | None, project: str | None, is_json: bool) -> None:
    """List the batch systems a run may go to: those installed beside the hub, and those that the project's
    lockgate.toml describes. Settings are those of the default branch.

    \b
    Example:
      lockgate backends
      lockgate backends check slurm
    """
    if context.invoked_subcommand is not None:
        return
    from lockgate.hub.worktree.asking import ask_backends  # noqa: PLC0415

    place = ask_hub(hub, project, ["backends", *(["--json"] if is_json else [])])
    found = ask_backends(place)
    if is_json:
        print_json(found)
        return
    rows = []
    for each in found:
        uses = ["every stage that names none"] if each.is_default else []
        uses += [f"{counted(len(each.stages), 'stage')}: {', '.join(each.stages[:3])}"] if each.stages else []
        kind = "lockgate.toml" if each.is_described else "installed"
        rows.append((each.name, kind, ", ".join(uses) or "-", ", ".join(each.settings) or "-"))
    table(rows, ("backend", "from", "used by", "settings"))
