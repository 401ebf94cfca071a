"""The pages, one a file."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from lockgate.web.pages import artifact, commit, compare, files, home, run

PAGES: list[ControllerRouterHandler] = [
    handler for page in (home, run, artifact, compare, commit, files) for handler in page.handlers
]
