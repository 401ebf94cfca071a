"""A project's data: what the hub lacks of it, sent and given in streams."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.response import Stream

from lockgate.errors import OutsideError, UserError
from lockgate.hub.supplying.taking import Intake, give, lacking
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

#: So much is handed on at a time: each is one turn of a thread.
_TOGETHER_BYTES = 1 << 20


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Digests, those of folders ending in `.dir`."""

    objects: Annotated[tuple[str, ...], msgspec.Meta(max_length=100_000)]


class Lacking(msgspec.Struct, frozen=True):
    """What the project has not, with how many bytes of each came before a break."""

    lacking: dict[str, int]


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Digests, each with the byte from which on it is wanted."""

    objects: dict[str, Annotated[int, msgspec.Meta(ge=0)]]


@post("/projects/{project:str}/objects/lacking", status_code=200, sync_to_thread=True)
def ask(service: Service, visitor: Visitor, project: str, data: Asked) -> Lacking:
    """Which of these objects the project lacks. One that only another project has is lacking."""
    visitor.require("push", project)
    return Lacking(lacking(service.hub, project, data.objects))


@post("/projects/{project:str}/objects/take", status_code=204, request_max_body_size=None)
async def take(request: Request[None, None, State], service: Service, visitor: Visitor, project: str) -> None:
    """Take a stream of objects in; each is checked, and what came before a break is kept."""
    await asyncio.to_thread(visitor.require, "push", project)
    intake = await asyncio.to_thread(Intake, service.hub, project, service.settings.push_limit_bytes)
    try:
        gathered = bytearray()
        async for piece in request.stream():
            gathered += piece
            if len(gathered) >= _TOGETHER_BYTES:
                await asyncio.to_thread(intake.feed, bytes(gathered))
                gathered.clear()
        await asyncio.to_thread(intake.feed, bytes(gathered))
    except BaseException:
        await asyncio.shield(asyncio.to_thread(intake.close))
        raise
    try:
        await asyncio.to_thread(intake.finish)
    except OutsideError as error:
        if error.code != "data-broken-off":
            raise
        # What was asked for came too short: that is the asker's fault, and none of the hub's
        raise UserError(error.message, error.hint, code=error.code) from None


@post("/projects/{project:str}/objects/give", status_code=200, sync_to_thread=True)
def send(service: Service, visitor: Visitor, project: str, data: Wanted) -> Stream:
    """A stream of the project's objects; one it does not have is told as such."""
    visitor.require("read", project)
    chunks = give(service.hub, project, data.objects)
    return Stream(chunks, media_type="application/octet-stream")


handlers = [ask, take, send]
