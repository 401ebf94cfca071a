"""What a collection of objects removed, or would remove: for the hub's store and for a clone's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import click

from lockgate.cli.output import echo
from lockgate.project.quantities import counted, size_words

Command = TypeVar("Command", bound=Callable[..., object])


class Collected(Protocol):
    """Counts of objects: not needed and old enough, needed, not needed but young."""

    @property
    def objects(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def kept(self) -> int: ...
    @property
    def young(self) -> int: ...
    @property
    def is_removed(self) -> bool: ...


def grace_option(least_h: float) -> Callable[[Command], Command]:
    """Return the option `--grace`, which takes this many hours at least."""
    return click.option(
        "--grace",
        "grace_h",
        type=click.FloatRange(min=least_h),
        default=24,
        show_default=True,
        metavar="HOURS",
        help="Keep what is younger.",
    )


def tell(found: Collected, grace_h: float, command: str, others: Sequence[str] = ()) -> None:
    """Print it; `others`: what is removed beside objects, `command`: what does it."""
    if found.young:
        echo(f"{counted(found.young, 'object')} not needed, but younger than {grace_h:g} h: kept")
    own = [f"{counted(found.objects, 'object')}, {size_words(found.size_bytes)}"] if found.objects else []
    what = "; ".join([*own, *others])
    needed = f"{counted(found.kept, 'object')} needed"
    if not what:
        echo(f"nothing to remove; {needed}")
    elif found.is_removed:
        echo(f"removed {what}; {needed}")
    else:
        echo(f"{what} would be removed; {needed}")
        echo(f"To do it: {command} --remove")
