"""What the commands that Lockgate itself calls over ssh are given: a hub, a project, a value as JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from lockgate.errors import UserError

_F = TypeVar("_F", bound=Callable[..., object])
_T = TypeVar("_T")


def place_options(function: _F) -> _F:
    function = click.option("--project", required=True, metavar="NAME", help="The project.")(function)
    return click.option(
        "--hub", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The hub's directory."
    )(function)


def told_value(content: bytes, kind: type[_T]) -> _T:
    """Return what stands on standard input. Raises `UserError` (`data-stream`)."""
    import msgspec  # noqa: PLC0415

    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise UserError(
            f"this is not what is asked for: {error}",
            "Use the same version of Lockgate here and on the hub.",
            code="data-stream",
        ) from None
