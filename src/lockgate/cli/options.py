"""Options that many commands share, and where a command's question goes: a hub here, or one behind ssh."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from lockgate.hub.reaching.address import HttpHub, LocalHub, RemoteHub, address

_F = TypeVar("_F", bound=Callable[..., object])


def json_option(function: _F) -> _F:
    return click.option("--json", "is_json", is_flag=True, help="Print JSON for programs.")(function)


def progress_json_option(function: _F) -> _F:
    return click.option(
        "--progress-json",
        "is_progress_json",
        is_flag=True,
        help="Tell what happens on standard error, one JSON object a line.",
    )(function)


def hub_options(function: _F) -> _F:
    """Name a hub and project; without them the work tree's remote `hub` counts."""
    function = click.option("--project", metavar="NAME", help="The project, where the hub has several.")(
        function
    )
    return click.option(
        "--hub",
        "hub",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="A hub's directory instead of the remote `hub`.",
    )(function)


def ask_hub(hub: Path | None, project: str | None, arguments: Sequence[str]) -> LocalHub | HttpHub:
    """Return the hub the command is about if it is on this machine or behind its service.

    For one behind ssh, run `lockgate ARGUMENTS` there, pass its output on, and end with its exit code.
    """
    found = address(hub, project, Path.cwd())
    if not isinstance(found, RemoteHub):
        return found
    sys.stdout.flush()
    raise click.exceptions.Exit(found.call(arguments))
