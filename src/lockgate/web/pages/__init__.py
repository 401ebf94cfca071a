"""The pages, one a file."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from lockgate.web.pages import artifact, home, run

PAGES: list[ControllerRouterHandler] = [*home.handlers, *run.handlers, *artifact.handlers]
