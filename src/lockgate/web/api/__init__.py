"""The API, version 1."""

from __future__ import annotations

from litestar import Router

from lockgate.web.api import (
    artifacts,
    backends,
    cells,
    datasets,
    document,
    events,
    feed,
    history,
    loans,
    logs,
    members,
    objects,
    projects,
    proposals,
    runs,
    storage,
    table,
    tokens,
    trace,
)

_PARTS = (
    artifacts, backends, cells, datasets, document, events, feed, history, loans, logs, members, objects,
    projects, proposals, runs, storage, table, tokens, trace,
)  # fmt: skip

API = Router("/api/v1", route_handlers=[handler for part in _PARTS for handler in part.handlers])
