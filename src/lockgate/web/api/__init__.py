"""The API, version 1."""

from __future__ import annotations

from litestar import Router

from lockgate.web.api import document

API = Router("/api/v1", route_handlers=[*document.handlers])
