"""What a link of a hub wants to have opened here, and whether it may: without disk and network."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.errors import UserError
from lockgate.hub.reaching.address import service_base
from lockgate.hub.worktree.cloning import require_project_name


class Wanted(msgspec.Struct, frozen=True):
    """`path` is of a file in the project; "": the project itself."""

    hub: str
    project: str
    path: str


def read_wanted(hub: str, project: str, path: str, trusted: Sequence[str]) -> Wanted:
    """Return what is wanted. `trusted` are the hubs that this server takes projects from.

    Raises `UserError`: `hub-untrusted`, `hub-url`, `project-name`, `path-outside`.
    """
    base = service_base(hub)
    if base not in {service_base(each) for each in trusted}:
        raise UserError(
            f"this Jupyter server opens nothing of the hub {base}",
            "Who keeps the server trusts hubs by: c.Lockgate.hubs = [ADDRESS]",
            code="hub-untrusted",
        )
    parts = path.split("/")
    is_inside = path.isprintable() and "\\" not in path and not {".", "..", ".git"} & set(parts)
    if path and (not is_inside or "" in parts):
        raise UserError(f"{path[:200]!r} is no file of a project", "Open the project.", code="path-outside")
    return Wanted(base, require_project_name(project), path)
