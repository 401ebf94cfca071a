"""The application: its handlers, and what lies around each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, Receive, Scope, Send

from lockgate import __version__
from lockgate.web import assets, login, login_elsewhere, oauth_login, oauth_token
from lockgate.web.api import API
from lockgate.web.errors import HANDLERS
from lockgate.web.forwarded import forwarded
from lockgate.web.git_http import serve_git
from lockgate.web.health import HEALTH
from lockgate.web.metrics import Metrics
from lockgate.web.observation import observe
from lockgate.web.pace import paced
from lockgate.web.pages import PAGES
from lockgate.web.security import add_headers
from lockgate.web.service import Service
from lockgate.web.telemetry import Tracing
from lockgate.web.visitor import check_crossing, provide_visitor


def create_app(service: Service, tracing: Tracing | None = None) -> ASGIApp:
    """Return the application, which answers below the settings' prefix."""

    def provide_service() -> Service:
        return service

    metrics = Metrics(service.hub)
    app = Litestar(
        [
            *HEALTH,
            *login.handlers,
            *login_elsewhere.handlers,
            *oauth_login.handlers,
            *oauth_token.handlers,
            *PAGES,
            API,
            *assets.handlers,
        ],
        state=State({"service": service, "metrics": metrics}),
        dependencies={
            "service": Provide(provide_service, sync_to_thread=False),
            "visitor": Provide(provide_visitor),
        },
        exception_handlers=HANDLERS,
        before_request=check_crossing,
        before_send=[add_headers],
        request_max_body_size=service.settings.body_limit_bytes,
        openapi_config=OpenAPIConfig(
            title="Lockgate",
            version=__version__,
            path="/api/v1/document",  # its router answers whatever lies below
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            use_handler_docstrings=True,
        ),
        logging_config=None,
        lifespan=[_watch],
    )
    observed = observe(_around(service, app), metrics, tracing)
    return forwarded(observed) if service.settings.is_behind_proxy else observed


@asynccontextmanager
async def _watch(app: Litestar) -> AsyncIterator[None]:
    service: Service = app.state.service
    watching = asyncio.create_task(service.news.watch())
    try:
        yield
    finally:
        service.close()
        await watching


def _around(service: Service, app: ASGIApp) -> ASGIApp:
    """Take the prefix off a path, where a proxy has not done it already, and lead git past the framework."""
    prefix = service.settings.prefix
    hurried = paced(app)

    async def lead(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            if prefix and (scope["path"] + "/").startswith(prefix + "/"):
                scope["path"] = scope["path"].removeprefix(prefix) or "/"
                scope["raw_path"] = scope["raw_path"].removeprefix(prefix.encode()) or b"/"
            if scope["path"].startswith("/git/"):
                await serve_git(service, scope, receive, send)
                return
            await hurried(scope, receive, send)
        else:
            await app(scope, receive, send)

    return lead
