"""What is kept of every request: a log line, the metrics, a span."""

from __future__ import annotations

import time

from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from lockgate.web.logs import begin_request, log
from lockgate.web.metrics import OTHER, Metrics
from lockgate.web.telemetry import Tracing

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Asked every few seconds by machines; of no interest in the log as long as they are answered well.
_QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/static"})
_GIT = ("info/refs", "git-upload-pack", "git-receive-pack")
_PUSH = "/git/{project}/git-receive-pack"


def observe(app: ASGIApp, metrics: Metrics, tracing: Tracing | None) -> ASGIApp:
    """Return an application that keeps an eye on every request."""

    async def observed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        await _Request(scope, send, metrics, tracing).run(app, receive)

    return observed


class _Request:
    def __init__(self, scope: HTTPScope, send: Send, metrics: Metrics, tracing: Tracing | None) -> None:
        self._scope, self._send, self._metrics, self._tracing = scope, send, metrics, tracing
        headers = Headers.from_scope(scope)
        given = headers.get("x-request-id")
        self._id = begin_request(given.encode() if given is not None else None)
        self._method = scope["method"] if scope["method"] in _METHODS else OTHER
        self._span = tracing.begin(self._method, headers) if tracing is not None else None
        self._began = time.monotonic()
        self._status = 500
        self._bytes = 0
        self._is_stream = False

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        self._metrics.under_way.inc()
        try:
            await app(self._scope, receive, self._watch)
        finally:
            self._metrics.under_way.dec()
            if self._is_stream:
                self._metrics.watchers.dec()
            self._end()

    async def _watch(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = list(message["headers"])
            if any(
                name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in headers
            ):
                self._is_stream = True
                self._metrics.watchers.inc()
            message["headers"] = [*headers, (b"x-request-id", self._id.encode())]
        elif message["type"] == "http.response.body":
            self._bytes += len(message["body"])
        await self._send(message)

    def _end(self) -> None:
        took = time.monotonic() - self._began
        route = route_of(self._scope)
        if not self._is_stream:
            self._metrics.requests.labels(self._method, route, str(self._status)).observe(took)
        if route == _PUSH and self._method == "POST":
            self._metrics.pushes.labels(str(self._status)).inc()
        client = self._scope["client"]
        if self._span is not None and self._tracing is not None:
            self._tracing.end(self._span, self._method, route, self._status, {"lockgate.request": self._id})
        if self._status < 400 and route in _QUIET:
            return
        log.info(
            "%s %s %d", self._method, self._scope["path"], self._status,
            extra={
                "action": "request",
                "method": self._method,
                "route": route,
                "status": self._status,
                "member": member_of(self._scope),
                "address": client[0] if client else None,
                "ms": round(took * 1000, 1),
                "bytes": self._bytes,
            },
        )  # fmt: skip


def route_of(scope: HTTPScope) -> str:
    """Return the template of the path, so that what is counted by it stays bounded."""
    template = scope.get("path_template")
    if isinstance(template, str) and template:
        return template
    path = scope["path"]
    if path.startswith("/git/"):
        verb = next((verb for verb in _GIT if path.endswith("/" + verb)), OTHER)
        return f"/git/{{project}}/{verb}"
    return "/" if path == "/" else OTHER


def member_of(scope: HTTPScope) -> str | None:
    """Return who asked, where somebody found out."""
    state = scope.get("state") or {}
    actor = state.get("actor") or getattr(state.get("visitor"), "actor", None)
    name = getattr(actor, "name", None)
    return name if isinstance(name, str) else None
