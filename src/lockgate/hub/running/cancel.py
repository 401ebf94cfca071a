"""Asking the dispatcher to end a run."""

from __future__ import annotations

import getpass

import msgspec

from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run
from lockgate.hub.queue import ensure_dispatcher


class Cancelled(msgspec.Struct, frozen=True):
    run: str
    was_running: bool
    state: str


def cancel_run(hub: Hub, project: str, text: str, by: str | None = None) -> Cancelled:
    """Ask for a run's end, in the name of `by` (None: the account this runs under); one that has ended
    already is left as it is."""
    index = Index(hub.index)
    row = find_run(index, project, text)
    was_running = index.request_cancel(row.request.id, by or getpass.getuser())
    if was_running:
        ensure_dispatcher(hub)
    return Cancelled(row.request.id, was_running, row.state)
