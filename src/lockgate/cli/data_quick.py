"""`lockgate data add|get|status` without options, without the packages that read options.

Everything else, a mistake too, is left to the commands themselves.
"""

from __future__ import annotations

import os

from lockgate.cli.data_progress import tell
from lockgate.cli.data_report import (
    added_lines,
    got_lines,
    inside,
    newer_lines,
    newer_of,
    standing_lines,
    write,
)


def quick(arguments: list[str]) -> int | None:
    """Do it and return the exit code; None: it is not so simple."""
    verb, paths = arguments[0] if arguments else "", arguments[1:]
    if any(path.startswith("-") or not path for path in paths):
        return None
    if verb == "status" and not paths:
        return _status()
    if verb == "add" and paths:
        return _add(paths)
    if verb == "get":
        return _get(paths)
    return None


def _status() -> int:
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.status import standing  # noqa: PLC0415

    clone = open_clone(os.curdir)
    found = standing(clone)
    write([*standing_lines(found), *newer_lines(*newer_of(clone, found))])
    return 0


def _add(paths: list[str]) -> int:
    from lockgate.data.add import add  # noqa: PLC0415
    from lockgate.data.clone import open_clone  # noqa: PLC0415

    clone = open_clone(os.curdir)
    write(added_lines(add(clone, inside(clone, paths))))
    return 0


def _get(paths: list[str]) -> int:
    from lockgate.data.chosen import choose  # noqa: PLC0415
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.get import get  # noqa: PLC0415
    from lockgate.data.pointed import find_outputs  # noqa: PLC0415
    from lockgate.data.remote_source import RemoteSource  # noqa: PLC0415
    from lockgate.hub.exchanging.hub_source import HubSource  # noqa: PLC0415

    clone = open_clone(os.curdir)
    chosen = choose(find_outputs(clone), inside(clone, paths))
    write(got_lines(get(clone, chosen, [RemoteSource(None, tell), HubSource(tell)])))
    return 0
