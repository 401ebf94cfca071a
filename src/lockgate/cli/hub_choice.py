"""Which hub a `lockgate hub` command is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from lockgate.errors import UserError
from lockgate.hub.directory import Hub, open_hub, private_hub_root
from lockgate.hub.reaching.address import HttpHub, RemoteHub, address

_F = TypeVar("_F", bound=Callable[..., object])


def hub_option(function: _F) -> _F:
    return click.option(
        "--hub",
        "hub",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The hub's directory; without it, the remote `hub` of this work tree, else your own hub.",
    )(function)


def choose_hub(hub: Path | None) -> Hub:
    """Return the hub meant. Raises `UserError`: `not-a-hub`, `hub-elsewhere` (it is behind ssh)."""
    if hub is not None:
        return open_hub(hub)
    try:
        place = address(None, None, Path.cwd())
    except UserError as error:
        if error.code not in ("not-a-repository", "bare-repository", "no-hub"):
            raise
        return open_hub(private_hub_root())
    if isinstance(place, HttpHub):
        raise UserError(
            f"the hub is behind {place.base}, and this is done on its host",
            "Log in there and name the hub's directory: lockgate hub … --hub DIR",
            code="hub-elsewhere",
        )
    if isinstance(place, RemoteHub):
        root = place.path.rsplit("/", 2)[0]
        raise UserError(
            f"the hub is on {place.host}, and this is done there",
            f"Log in there and type: {root}/bin/lockgate hub … --hub {root}",
            code="hub-elsewhere",
        )
    return place.hub
