"""`lockgate log`: the activity chain, read and verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import hub_options, json_option
from lockgate.cli.output import bold, echo, print_json, table

if TYPE_CHECKING:
    from lockgate.hub.worktree.history import Entry, Pinned


@click.command("log")
@click.argument("path", required=False)
@click.option("-n", "limit", type=click.IntRange(1), default=20, show_default=True, help="So many entries.")
@click.option("--verify", "is_verify", is_flag=True, help="Check every signature and link of the chain.")
@hub_options
@json_option
def command(
    path: str | None, limit: int, is_verify: bool, hub: Path | None, project: str | None, is_json: bool
) -> None:
    """Read the project's activity chain: who did what, when. Newest first.

    With a PATH, only what was done by runs that read or made it. Without a connection to the hub, what was
    fetched before is shown.

    --verify checks that every entry is signed by the hub's key, which is pinned in .git/lockgate/hub.pub
    when it is first seen. Exit code 1: the chain is not what the hub wrote.

    \b
    Examples:
      lockgate log -n 5
      lockgate log build/model.pkl
      lockgate log --verify
    """
    from lockgate.hub.reaching.address import LocalHub, address  # noqa: PLC0415
    from lockgate.hub.worktree import history  # noqa: PLC0415

    warning: str | None = None
    if hub is not None:
        place = address(hub, project, Path.cwd())
        assert isinstance(place, LocalHub)
        repository = place.hub.repository(place.project)
        if is_verify:
            key = history.public_key_of(place)
            _verify(repository, history.Pinned(key, False), None, is_json)
            return
        inside = path.strip("/") if path is not None else None
    else:
        from lockgate.git.worktree import find_root  # noqa: PLC0415
        from lockgate.runs.provenance import path_in  # noqa: PLC0415

        repository = find_root(Path.cwd())
        warning = history.refresh(repository).warning
        if is_verify:
            _verify(repository, history.pin(repository), warning, is_json)
            return
        inside = path_in(repository, path) if path is not None else None
    found = list(history.entries(repository, limit, inside))
    if is_json:
        print_json(found)
        return
    if warning:
        click.echo(f"note: {warning}", err=True)
    _show(found)


def _show(found: list[Entry]) -> None:
    if not found:
        echo("nothing is recorded")
        return
    rows = []
    for entry in found:
        at = entry.activity.at.replace("T", " ")
        rows.append((entry.id[:10], at, entry.activity.by, entry.activity.title))
    table(rows)


def _verify(repository: Path, pinned: Pinned, warning: str | None, is_json: bool) -> None:
    from lockgate.activity.verify import verify  # noqa: PLC0415  (cryptography)

    result = verify(repository, pinned.public_key)
    if is_json:
        print_json(
            {
                "is_intact": result.is_intact,
                "count": result.count,
                "problems": result.problems,
                "key": pinned.fingerprint,
                "is_newly_pinned": pinned.is_new,
                "warning": warning,
            }
        )
    else:
        if warning:
            click.echo(f"note: {warning}", err=True)
        if pinned.is_new:
            echo(f"pinned the hub's key {pinned.fingerprint} (.git/lockgate/hub.pub)")
        for problem in result.problems:
            echo(problem)
        entries = f"{result.count} entr{'y' if result.count == 1 else 'ies'}"
        if result.is_intact:
            echo(bold(f"{entries}, all signed by the hub's key {pinned.fingerprint}"))
        else:
            echo(bold(f"{entries}: the chain is not what the hub wrote"))
    if not result.is_intact:
        raise click.exceptions.Exit(1)
