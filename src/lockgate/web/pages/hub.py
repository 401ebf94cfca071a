"""The hub as its operator sees it: its projects, its members, its room on the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.hub.members.overview import overview
from lockgate.web.pages import chart
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

#: So many files are counted in a room; what has more is said to be at least so large.
_FILES_AT_MOST = 200_000


class Room(msgspec.Struct, frozen=True):
    """What one folder of the hub takes; `is_cut`: there is more."""

    name: str
    what: str
    size_bytes: int
    is_cut: bool


@get("/settings", include_in_schema=False, sync_to_thread=True)
def show(request: Request[None, None, State], service: Service, visitor: Visitor) -> Response[bytes]:
    """The hub for its operator."""
    visitor.require("operate", None)
    hub = service.hub
    rooms = [
        _room(hub.repositories, "git: code, results, activity"),
        _room(hub.store, "large results, by digest"),
        _room(hub.root / "runs", "folders of jobs"),
        _room(hub.runtimes, "built software"),
    ]
    disk = shutil.disk_usage(hub.root)
    return render(
        request,
        "hub.html",
        root=str(hub.root),
        projects=hub.projects(),
        members=[overview(member) for member in service.book.members()],
        rooms=rooms,
        most=max(room.size_bytes for room in rooms) or 1,
        disk=disk,
        bar=chart.bar,
        public_key=hub.key.with_name("key.pub").read_text("utf-8").strip(),
    )


def _room(folder: Path, what: str) -> Room:
    size = count = 0
    pending = [os.fspath(folder)]
    while pending and count < _FILES_AT_MOST:
        try:
            with os.scandir(pending.pop()) as found:
                for entry in found:
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return Room(folder.name, what, size, is_cut=bool(pending))


handlers = [show]
