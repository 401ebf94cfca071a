"""Server-sent events: what is new in projects, how a run goes on, what a stage prints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import Parameter
from litestar.response import Stream

from lockgate.errors import UserError
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run
from lockgate.hub.indexing.rows import Request as RunRequest
from lockgate.web.api.runs import request_of
from lockgate.web.channel import frame, listen
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_KIND = "text/event-stream"
#: A proxy that held the stream back would make it worthless (nginx, X-Accel-Buffering).
_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


@get("/events", media_type=_KIND)
async def of_hub(request: Request[None, None, State], service: Service, visitor: Visitor) -> Stream:
    """What is new in all projects that the visitor may read, as events `news`."""
    visitor.require_known()
    return _stream(service, _news(request, service, lambda: service.readable(visitor.again())))


@get("/projects/{project:str}/events", media_type=_KIND)
async def of_project(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str
) -> Stream:
    """What is new in a project, as events `news`."""
    visitor.require("read", project)
    return _stream(
        service,
        _news(request, service, lambda: (project,) if visitor.still("read", project) else ()),
    )


@get("/projects/{project:str}/runs/{run:str}/events", media_type=_KIND, sync_to_thread=True)
def of_run(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, run: str
) -> Stream:
    """How a run goes on, from its beginning, as events `progress`; its end as `end`, then the stream ends."""
    visitor.require("read", project)
    whole = request_of(service, project, run).id
    return _stream(service, _progress(request, service, visitor, project, whole))


@get("/projects/{project:str}/runs/{run:str}/logs/stream", media_type=_KIND, sync_to_thread=True)
def of_log(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    run: str,
    stage: str,
    offset: Annotated[int, Parameter(ge=0)] = 0,
) -> Stream:
    """What a stage prints from a byte on, as events `log`, until the run has ended."""
    visitor.require("read", project)
    index = Index(service.hub.index, is_read_only=True)
    try:
        row = find_run(index, project, run)
        stages = {job.stage for job in index.jobs(row.request.id)}
    finally:
        index.close()
    if stage not in stages:
        raise UserError(f"run {run} has no stage {stage}", "Look at the run.", code="stage-unknown")
    heard = _last_heard(request)
    with suppress(ValueError):
        offset = int(heard) if heard.isascii() else offset
    return _stream(service, _log(service, visitor, row.request, stage, offset))


async def _log(
    service: Service, visitor: Visitor, request: RunRequest, stage: str, offset: int
) -> AsyncIterator[bytes]:
    project = request.project
    tail = service.tails.open(project, request.id, stage)
    async for piece in tail.listen(offset, lambda: visitor.still("read", project)):
        yield piece


async def _progress(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, run: str
) -> AsyncIterator[bytes]:
    channel = service.news.run_channel(run)
    heard, position = _last_heard(request), 0
    if heard.isascii() and heard.isdigit():
        # Told again up to there by the one who looks: wait for that before going on
        while not channel.end and not channel.is_over:
            await channel.wait(1.0)
        position = service.news.position_in(channel, int(heard))
    async for piece in listen(
        channel,
        position,
        lambda told: b"".join(each.frame for each in told),
        lambda: visitor.still("read", project),
    ):
        yield piece


async def _news(
    request: Request[None, None, State],
    service: Service,
    projects: Callable[[], tuple[str, ...]],
) -> AsyncIterator[bytes]:
    news = service.news
    boot, _, number = _last_heard(request).partition("-")
    position = news.items.end
    if boot == news.boot and number.isascii() and number.isdigit():
        position = min(position, int(number) + 1)
    elif boot:
        yield frame("news", b'{"kind":"missed","project":""}')
    mine = await asyncio.to_thread(projects)

    def is_welcome() -> bool:
        nonlocal mine
        mine = projects()
        return bool(mine)

    yield b"retry: 2000\n\n"
    async for piece in listen(
        news.items,
        position,
        lambda told: b"".join(each for project, each in told if project in mine),
        is_welcome,
    ):
        yield piece


def _last_heard(request: Request[None, None, State]) -> str:
    return request.headers.get("last-event-id", "")[:100]


def _stream(service: Service, frames: AsyncIterator[bytes]) -> Stream:
    if service.watchers >= service.settings.watchers_limit:
        raise UserError(
            "too many streams of events are open", "Try again in a while.", code="too-many-watchers"
        )
    return Stream(_counted(service, frames), media_type=_KIND, headers=_HEADERS)


async def _counted(service: Service, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    service.watchers += 1
    try:
        async for piece in frames:
            yield piece
    finally:
        service.watchers -= 1


handlers = [of_hub, of_project, of_run, of_log]
