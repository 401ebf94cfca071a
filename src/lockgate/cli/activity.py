"""`lockgate activity`: what was done in the project, in notebooks and on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import hub_options, json_option
from lockgate.cli.output import bold, echo, print_json, table

if TYPE_CHECKING:
    from lockgate.hub.worktree.remembering import Line, Page, Shown

KINDS = ("cell", "figure", "error", "run", "sync", "other")


@click.command("activity")
@click.argument("entry", required=False)
@click.option(
    "-n", "limit", type=click.IntRange(1, 500), default=20, show_default=True, help="So many lines."
)
@click.option("--by", metavar="MEMBER", help="Only what this member did.")
@click.option("--branch", metavar="NAME", help="Only what was done on this branch.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only this kind. Repeatable.")
@click.option(
    "--search", "text", metavar="WORDS", default="", help="Only what has all these words in its line."
)
@hub_options
@json_option
def command(
    entry: str | None,
    limit: int,
    by: str | None,
    branch: str | None,
    kinds: tuple[str, ...],
    text: str,
    hub: Path | None,
    project: str | None,
    is_json: bool,
) -> None:
    """List what was done, newest first: cells that were executed, runs, decisions; by whom.

    Cells are those of your own notebooks, and of others' as far as they have synced; what was executed in one
    sitting is one line. With an ENTRY, show its code and what it printed. `lockgate rollback ENTRY` goes back
    to the project as it was at that moment.

    \b
    Examples:
      lockgate activity --by ada --kind figure
      lockgate activity 3fa91c20bb
    """
    import msgspec  # noqa: PLC0415

    from lockgate.hub.worktree.remembering import Wanted, entry_named, page_of, show  # noqa: PLC0415

    repository, warning = _repository(hub, project)
    if entry is not None:
        shown = show(repository, entry_named(repository, entry))
        if is_json:
            print_json(shown)
        else:
            _show_one(shown)
        return
    asked = {"kinds": kinds, "by": by, "text": text, "branch": branch}
    page = page_of(repository, msgspec.convert(asked, Wanted), size=limit)
    if is_json:
        print_json(page)
        return
    if warning:
        click.echo(f"note: {warning}", err=True)
    _show(page)


def _repository(hub: Path | None, project: str | None) -> tuple[Path, str | None]:
    """Return where the feed lies, brought up to date, and why it could not be."""
    if hub is not None:
        from lockgate.hub.reaching.address import LocalHub, address  # noqa: PLC0415

        place = address(hub, project, Path.cwd())
        assert isinstance(place, LocalHub)
        return place.hub.repository(place.project), None
    from lockgate.errors import LockgateError  # noqa: PLC0415
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.history import refresh  # noqa: PLC0415
    from lockgate.hub.worktree.journal import fetch_journals  # noqa: PLC0415

    root = find_root(Path.cwd())
    warning = refresh(root).warning
    if warning is None:
        try:
            fetch_journals(root)
        except LockgateError as error:
            warning = error.message
    return root, warning


def _show(page: Page) -> None:
    if not page.lines:
        echo("nothing is recorded")
        return
    groups: list[list[Line]] = []
    for line in page.lines:
        if line.follows:
            groups[-1].append(line)
        else:
            groups.append([line])
    table([_row(group) for group in groups])


def _row(group: list[Line]) -> tuple[str, str, str, str]:
    line, rest = group[0], group[1:]
    failed = sum(each.kind == "error" for each in rest)
    before = f"  (+{len(rest)} before{f', {failed} failed' if failed else ''})" if rest else ""
    mark = "FAILED " if line.kind == "error" else ""
    return line.id[:10], line.at.replace("T", " "), line.by, f"{mark}{line.title}{before}"


def _show_one(shown: Shown) -> None:
    line = shown.line
    echo(bold(line.title))
    where = f", on {line.device}" if line.device else ""
    echo(f"{line.id[:10]}  {line.at.replace('T', ' ')}  {line.by}{where}")
    for name, value in shown.details:
        echo(f"  {name}: {value}")
    if shown.error:
        echo(f"  {shown.error}")
    for name, content in (("code", shown.code), ("output", shown.output)):
        if content:
            echo()
            echo(bold(name))
            for text in content.rstrip("\n").split("\n"):
                echo(f"  {text}")
    for left in shown.left_out:
        echo(f"not kept: {left}")
    if line.has_state:
        echo()
        echo(f"The project as it was then: lockgate rollback {line.id[:10]}")
