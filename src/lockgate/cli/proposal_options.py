"""Options that the commands about proposals share, and who decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from lockgate.cli.hub_choice import choose_hub
from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.reaching.address import LocalHub, address

if TYPE_CHECKING:
    from lockgate.hub.members.values import Actor

_F = TypeVar("_F", bound=Callable[..., object])


def by_option(function: _F) -> _F:
    return click.option("--by", metavar="MEMBER", help="In whose name; left out: the hub's owner.")(function)


def place_meant(hub: Path | None, project: str | None) -> tuple[Hub, str]:
    """Return the hub and the project meant: named, the work tree's, or the only one there is.

    Raises `UserError`: `project-unknown`, `not-a-hub`, `hub-elsewhere`.
    """
    chosen = choose_hub(hub)
    if project is None and hub is None:
        try:
            place = address(None, None, Path.cwd())
        except UserError:
            place = None
        if isinstance(place, LocalHub) and place.hub.root == chosen.root:
            project = place.project
    found = address(chosen.root, project, Path.cwd())
    assert isinstance(found, LocalHub)
    return found.hub, found.project


def decider(hub: Hub, by: str | None) -> Actor:
    """Return who decides. Raises `UserError`: `member-unknown`, `member-inactive`."""
    from lockgate.hub.members.acting import by_name  # noqa: PLC0415
    from lockgate.hub.members.book import open_book  # noqa: PLC0415
    from lockgate.hub.members.values import OWNER  # noqa: PLC0415

    return by_name(open_book(hub), by) if by else OWNER
