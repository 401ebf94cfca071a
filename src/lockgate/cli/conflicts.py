"""What the command line says of conflicts, and is told about them: shared by `sync` and `merge`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.cli.output import bold, echo, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.hub.sync.conflict import Choice, Conflict
    from lockgate.hub.sync.journal import What


def choice_options(theirs: str) -> Callable[[Any], Any]:
    """Add `--mine`, `--theirs` and `--use`; `theirs` says whose that is."""

    def add(command: Any) -> Any:
        for option in (
            click.option(
                "--use", multiple=True, metavar="PATH=FILE", help="Put this file's text there. Repeatable."
            ),
            click.option(
                "--theirs", multiple=True, metavar="PATH", help=f"Take what {theirs} has. Repeatable."
            ),
            click.option(
                "--mine", multiple=True, metavar="PATH", help="Of a conflict, keep what is here. Repeatable."
            ),
        ):
            command = option(command)
        return command

    return add


def choices_of(mine: tuple[str, ...], theirs: tuple[str, ...], use: tuple[str, ...]) -> dict[str, Choice]:
    """Return what was decided, by path. Raises `UserError` (`choice-invalid`)."""
    from lockgate.errors import UserError  # noqa: PLC0415
    from lockgate.hub.sync.conflict import Choice  # noqa: PLC0415

    found = {path: Choice("", "mine") for path in mine} | {path: Choice("", "theirs") for path in theirs}
    for each in use:
        path, equals, file = each.partition("=")
        try:
            if not (equals and path and file):
                raise ValueError("no file is named")
            text = Path(file).read_text("utf-8")
        except (OSError, ValueError) as error:
            cause = (error.strerror if isinstance(error, OSError) else None) or error
            raise UserError(
                f"--use {each}: there is no text to read: {cause}",
                "Write it as PATH=FILE.",
                code="choice-invalid",
            ) from None
        found[path] = Choice("", "edit", text)
    return found


def take_back(root: Path, what: What, is_json: bool) -> int:
    """Undo the last sync or merge, and show what was put back."""
    from lockgate.hub.sync.undo import undo  # noqa: PLC0415

    done = undo(root, what)
    if is_json:
        print_json(done)
        return 0
    echo(bold(f"{done.branch} is as it was before the {what}"))
    for path in done.changed[:20]:
        echo(f"  {path}")
    if done.on_hub:
        echo(done.on_hub)
    return 0


_KINDS = {
    "text": "both changed the same lines",
    "notebook": "both changed the same cells",
    "binary": "both changed it, and it is no text",
    "deleted-by-me": "removed here, changed there",
    "deleted-by-them": "changed here, removed there",
}


def show_conflict(conflict: Conflict) -> None:
    """Name a file that both changed, and its cells."""
    cells = ": " + ", ".join(cell.label for cell in conflict.cells) if conflict.cells else ""
    echo(f"{bold(conflict.path)}: {_KINDS[conflict.kind]}{cells}")


def commits(count: int) -> str:
    """Return a number of commits in words."""
    return f"{count} commit{'' if count == 1 else 's'}"
