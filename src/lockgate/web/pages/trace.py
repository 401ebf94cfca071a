"""From a file back to the run that made it: by its bytes, or a picture by its looks."""

from __future__ import annotations

import asyncio
import mimetypes
from typing import Literal
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State, UploadFile

from lockgate.errors import UserError
from lockgate.hub.search.trace import MadeFile, nearness
from lockgate.hub.search.trail import trace as trace_file
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

#: As much as is looked at, with what a form is around it.
_MOST_BYTES = 31_000_000


How = Literal["exact", "passport", "claim", "likeness"]


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `file` and `page` are paths of ours; `alike` says how near a likeness is, in words.

    `how` is `claim` where a passport names the run and the bytes are others.
    """

    project: str
    run: str
    stage: str
    path: str
    at: float
    how: How
    is_picture: bool
    alike: str = ""

    @property
    def page(self) -> str:
        return f"/p/{quote(self.project, safe='')}/runs/{self.run}"

    @property
    def file(self) -> str:
        return f"/p/{quote(self.project, safe='')}/artifacts/{self.run}/{quote(self.path)}"


@get("/trace", include_in_schema=False)
async def show(request: Request[None, None, State], visitor: Visitor) -> Response[bytes]:
    visitor.require_known()
    return render(request, "trace.html", name="", size=0, found=(), problem=None)


@post("/trace/file", include_in_schema=False, status_code=200, request_max_body_size=_MOST_BYTES)
async def trace(request: Request[None, None, State], service: Service, visitor: Visitor) -> Response[bytes]:
    visitor.require_known()
    file = (await request.form()).get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        problem = UserError("no file was sent", "Choose one, then press Trace.", code="request-invalid")
        return render(request, "trace.html", status=400, name="", size=0, found=(), problem=problem)
    content = await file.read()
    found = await asyncio.to_thread(_trace, service, visitor.projects(), content)
    return render(
        request, "trace.html", name=file.filename[:200], size=len(content), found=found, problem=None
    )


def _trace(service: Service, projects: tuple[str, ...], content: bytes) -> tuple[Traced, ...]:
    found = trace_file(service.database, projects, content)
    if found.exact:
        return tuple(_traced(made, "exact") for made in found.exact)
    if found.stamped is not None and found.stamped.made:
        how: How = "passport" if found.stamped.is_proved else "claim"
        return tuple(_traced(made, how) for made in found.stamped.made)
    return tuple(_traced(each.made, "likeness", each.distance) for each in found.alike)


def _traced(made: MadeFile, how: How, distance: float = 0.0) -> Traced:
    return Traced(
        project=made.project,
        run=made.run,
        stage=made.stage,
        path=made.path,
        at=made.at,
        how=how,
        is_picture=(mimetypes.guess_type(made.path)[0] or "").startswith("image/"),
        alike=nearness(distance),
    )


handlers = [show, trace]
