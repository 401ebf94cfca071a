"""What the hub takes on its disk."""

from __future__ import annotations

import shutil

import msgspec
from litestar import get

from lockgate.hub.operation.figures import stored_bytes
from lockgate.hub.operation.storage import ProjectStorage, storage_of
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class Storage(msgspec.Struct, frozen=True):
    """Bytes of all the hub's projects together, and of its disk."""

    repositories_bytes: int
    store_bytes: int
    runs_bytes: int
    runtimes_bytes: int
    disk_free_bytes: int
    disk_total_bytes: int


@get("/storage", sync_to_thread=True)
def show(service: Service, visitor: Visitor) -> Storage:
    """What the hub takes on its disk, counted now."""
    visitor.require("operate")
    hub = service.hub
    disk = shutil.disk_usage(hub.root)
    return Storage(
        stored_bytes(hub.repositories),
        stored_bytes(hub.store),
        stored_bytes(hub.root / "runs"),
        stored_bytes(hub.runtimes),
        disk.free,
        disk.total,
    )


@get("/projects/{project:str}/storage", sync_to_thread=True)
def show_project(service: Service, visitor: Visitor, project: str) -> ProjectStorage:
    """How much room a project takes, counted now."""
    visitor.require("read", project)
    return storage_of(service.hub, project)


handlers = [show, show_project]
