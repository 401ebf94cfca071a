"""The pages, one a file."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from lockgate.web.pages import (
    account,
    actions,
    artifact,
    commit,
    compare,
    files,
    home,
    hub,
    proposal,
    run,
    settings,
)

PAGES: list[ControllerRouterHandler] = [
    handler
    for page in (home, run, actions, artifact, compare, commit, files, settings, proposal, account, hub)
    for handler in page.handlers
]
