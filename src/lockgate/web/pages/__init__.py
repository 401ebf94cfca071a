"""The pages, one a file."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from lockgate.web.pages import (
    account,
    actions,
    activity,
    artifact,
    badge,
    cells,
    commit,
    compare,
    data,
    files,
    find,
    home,
    hub,
    proof,
    proposal,
    run,
    runs,
    settings,
    trace,
)

_MODULES = (
    home, activity, cells, runs, run, actions, proof, badge, artifact, compare, commit, data, files, settings,
    proposal, account, hub, find, trace,
)  # fmt: skip

PAGES: list[ControllerRouterHandler] = [handler for page in _MODULES for handler in page.handlers]
