"""For those who watch over the service: does it live, can it serve, and its numbers."""

from __future__ import annotations

import hmac
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.concurrency import sync_to_thread
from litestar.datastructures import State

from lockgate.errors import LockgateError, UserError
from lockgate.git.program import attempt
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.members.rules import may
from lockgate.web.authentication import address_of, identify, is_loopback
from lockgate.web.metrics import Metrics
from lockgate.web.service import Service

#: With less room than this a push or a result may not fit any more.
ROOM_AT_LEAST_BYTES = 100_000_000
#: Marks that a request came through a proxy, so that its sender is not on this machine though it looks so.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class Check(msgspec.Struct, frozen=True):
    """One thing that serving needs."""

    name: str
    is_ok: bool
    detail: str = ""
    """What is wrong, in words; only to those who may see it."""


class Readiness(msgspec.Struct, frozen=True):
    is_ready: bool
    checks: tuple[Check, ...]


@get("/healthz", include_in_schema=False, media_type=MediaType.TEXT, sync_to_thread=False)
def healthz() -> str:
    """Tell that the process lives."""
    return "ok\n"


@get("/readyz", include_in_schema=False)
async def readyz(request: Request[None, None, State], service: Service) -> Response[Readiness]:
    """Tell whether pushes and pages can be served; 503 where not, and what is wrong."""
    checks = await sync_to_thread(lambda: tuple(check(service.hub)))
    if not await may_look(request, service):
        checks = tuple(msgspec.structs.replace(each, detail="") for each in checks)
    is_ready = all(each.is_ok for each in checks)
    return Response(Readiness(is_ready, checks), status_code=200 if is_ready else 503)


@get("/metrics", include_in_schema=False)
async def metrics(request: Request[None, None, State], service: Service) -> Response[bytes]:
    """Hand out the numbers, for Prometheus."""
    if not await may_look(request, service):
        raise UserError(
            "the metrics are for this machine, for operators, and for whoever has their token",
            "Ask from the hub's own host, or with a token: docs/reference/metrics.md",
            code="not-allowed",
        )
    numbers: Metrics = request.app.state.metrics
    text, kind = await sync_to_thread(numbers.text, request.headers.get("accept", ""))
    return Response(text, media_type=kind)


async def may_look(request: Request[None, None, State], service: Service) -> bool:
    """Return whether details may be told: to this machine, to operators, to the holder of the token."""
    given = request.headers.get("authorization", "")
    wanted = service.settings.metrics_token_sha256
    if wanted and given.lower().startswith("bearer "):
        found = sha256(given[7:].strip().encode()).hexdigest()
        if hmac.compare_digest(found, wanted.lower()):
            return True
    is_direct = service.settings.is_behind_proxy or not any(name in request.headers for name in _FORWARDED)
    if is_direct and not given and is_loopback(address_of(request.scope)):
        return True
    if service.book.is_open:
        return False
    try:
        actor = await identify(service, request.scope)
    except UserError:
        return False
    return may(actor, "operate", None)


def check(hub: Hub) -> Iterator[Check]:
    """Yield what serving needs, and whether it is there."""
    yield _told("index", _index(hub))
    yield _told("git", _git())
    yield _told("disk", _disk(hub))
    yield _told("dispatcher", _dispatcher(hub))


def _told(name: str, fault: str) -> Check:
    return Check(name, not fault, fault)


def _index(hub: Hub) -> str:
    if not hub.is_there:
        return f"{hub.root} is no hub any more"
    if not hub.index.exists():
        return ""
    try:
        index = Index(hub.index, is_read_only=True)
        index.changes_seen()
        index.close()
    except LockgateError as error:
        return error.message
    return ""


def _git() -> str:
    try:
        code, _, _ = attempt(Path("/"), "--version")
    except LockgateError as error:
        return error.message
    return "" if code == 0 else f"git ended with exit code {code}"


def _disk(hub: Hub) -> str:
    try:
        free = shutil.disk_usage(hub.root).free
    except OSError as error:
        return f"the hub's disk cannot be asked: {error.strerror}"
    if free < ROOM_AT_LEAST_BYTES:
        return f"{free // 1_000_000} MB free"
    return "" if os.access(hub.root, os.W_OK) else "the hub's directory cannot be written to"


def _dispatcher(hub: Hub) -> str:
    try:
        if not stat.S_ISFIFO(hub.wake.stat().st_mode):
            raise OSError
    except OSError:
        return "the pipe that wakes it is missing: lockgate hub doctor --fix"
    return "" if os.access(sys.executable, os.X_OK) else f"its Python is gone: {sys.executable}"


HEALTH = (healthz, readyz, metrics)
