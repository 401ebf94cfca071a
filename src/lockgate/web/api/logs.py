"""What a run's jobs printed: a part of it, or all of it while it comes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import Parameter
from litestar.response import Stream

from lockgate.errors import UserError
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run
from lockgate.hub.showing.logs import Piece, logs_of, read_logs, read_part
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_MOST_BYTES = 1_000_000


@get("/projects/{project:str}/runs/{run:str}/logs", sync_to_thread=True)
def read(
    service: Service,
    visitor: Visitor,
    project: str,
    run: str,
    stage: str,
    offset: int = 0,
    limit: Annotated[int, Parameter(ge=1, le=_MOST_BYTES)] = 100_000,
) -> Response[bytes]:
    """Some bytes of a stage's output, attempt after attempt; a negative offset counts from the end.

    The headers tell the offset after it, the size so far, and the run's state.
    """
    visitor.require("read", project)
    index = Index(service.hub.index, is_read_only=True)
    try:
        row = find_run(index, project, run)
        stages = [job.stage for job in index.jobs(row.request.id)]
    finally:
        index.close()
    if stage not in stages:
        raise UserError(
            f"run {run} has no stage {stage}", f"Its stages: {', '.join(stages[:20])}", code="stage-unknown"
        )
    logs = logs_of(service.hub.run_folder(project, row.request.id) / "jobs", stage)
    _, size = read_part(logs, 0, 0)
    start = min(size, max(0, size + offset if offset < 0 else offset))
    content, size = read_part(logs, start, limit)
    headers = {
        "x-lockgate-offset": str(start),
        "x-lockgate-next": str(start + len(content)),
        "x-lockgate-size": str(size),
        "x-lockgate-state": row.state,
    }
    return Response(content, media_type="text/plain", headers=headers)


@get("/projects/{project:str}/runs/{run:str}/pieces", media_type="application/x-ndjson")
async def pieces(
    service: Service,
    visitor: Visitor,
    project: str,
    run: str,
    stage: str | None = None,
    follow: bool = False,
) -> Stream:
    """All that a run's jobs print, one JSON object a line; with `follow` until the run has ended."""
    visitor.require("read", project)
    found = read_logs(service.hub, project, run, stage, is_follow=follow)
    hand = _Hand(found)
    first = await hand.start()
    return Stream(hand.lines(first), media_type="application/x-ndjson")


class _Hand:
    """Carries pieces from the thread that waits for them to the event loop; it ends with the reader."""

    def __init__(self, found: Iterator[Piece]) -> None:
        self._found = found
        self._queue: asyncio.Queue[Piece | BaseException | None] = asyncio.Queue(maxsize=64)
        self._loop = asyncio.get_running_loop()
        self._is_wanted = True

    async def start(self) -> Piece | None:
        """Return the first piece; what keeps the logs from being read is raised here."""
        threading.Thread(target=self._carry, name="pieces", daemon=True).start()
        first = await self._queue.get()
        if isinstance(first, BaseException):
            raise first
        return first

    async def lines(self, first: Piece | None) -> AsyncIterator[bytes]:
        encode = msgspec.json.Encoder().encode
        try:
            piece: Piece | BaseException | None = first
            while isinstance(piece, Piece):
                yield encode(piece) + b"\n"
                piece = await self._queue.get()
        finally:
            self._is_wanted = False
            while not self._queue.empty():
                self._queue.get_nowait()

    def _carry(self) -> None:
        try:
            for piece in self._found:
                if not self._put(piece):
                    return
            self._put(None)
        except Exception as error:  # noqa: BLE001  (told to the reader)
            self._put(error)

    def _put(self, piece: Piece | BaseException | None) -> bool:
        if self._is_wanted:
            asyncio.run_coroutine_threadsafe(self._queue.put(piece), self._loop).result()
        return self._is_wanted


handlers = [read, pieces]
