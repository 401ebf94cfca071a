"""Which backends a hub has for a project, and what the project uses each for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.backends.registry import known_backends
from lockgate.hub.batch_settings import default_manifest
from lockgate.hub.directory import Hub
from lockgate.project.described import is_described


class Offered(msgspec.Struct, frozen=True):
    """A backend that runs may go to."""

    name: str
    is_described: bool
    """Whether the project's `lockgate.toml` describes it; else it is installed beside the hub."""
    is_default: bool
    """Whether stages go to it that name none."""
    stages: tuple[str, ...]
    """The stages that name it."""
    settings: tuple[str, ...]
    """The keys of its table `[batch.NAME]`."""


def list_backends(hub: Hub, project: str) -> Sequence[Offered]:
    """Return all backends, those the project uses first. Settings are those of the default branch.

    Raises `UserError` where the `lockgate.toml` there is wrong.
    """
    manifest = default_manifest(hub.repository(project))
    default = manifest.batch.backend if manifest else "local"
    tables = manifest.batch.options if manifest else {}
    named: dict[str, list[str]] = {}
    for stage in manifest.stages if manifest else ():
        if stage.backend is not None:
            named.setdefault(stage.backend, []).append(stage.name)
    own = {name for name, table in tables.items() if is_described(table)}
    offered = [
        Offered(
            name,
            is_described=name in own,
            is_default=name == default,
            stages=tuple(named.get(name, ())),
            settings=tuple(tables.get(name, ())),
        )
        for name in sorted({*known_backends(), *own})
    ]
    return sorted(offered, key=lambda each: (not each.is_default, not each.stages, not each.settings))
