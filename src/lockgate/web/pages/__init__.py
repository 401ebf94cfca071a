"""The pages, one a file."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from lockgate.web.pages import home

PAGES: list[ControllerRouterHandler] = [*home.handlers]
