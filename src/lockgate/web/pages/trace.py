"""From a file back to the run that made it: by its bytes, or a picture by its looks."""

from __future__ import annotations

import asyncio
import mimetypes
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State, UploadFile

from lockgate.errors import UserError
from lockgate.hub.search.trace import MadeFile, by_content, by_likeness
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

#: As much as is looked at, with what a form is around it.
_MOST_BYTES = 31_000_000


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `file` and `page` are paths of ours; `alike` says how near a likeness is, in words."""

    project: str
    run: str
    stage: str
    path: str
    at: float
    is_exact: bool
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
    exact = by_content(service.database, projects, content)
    if exact:
        return tuple(_traced(made, is_exact=True) for made in exact)
    try:
        alike = by_likeness(service.database, projects, content)
    except UserError as error:
        if error.code != "picture-invalid":
            raise
        return ()
    return tuple(_traced(each.made, is_exact=False, distance=each.distance) for each in alike)


def _traced(made: MadeFile, *, is_exact: bool, distance: float = 0.0) -> Traced:
    return Traced(
        project=made.project,
        run=made.run,
        stage=made.stage,
        path=made.path,
        at=made.at,
        is_exact=is_exact,
        is_picture=(mimetypes.guess_type(made.path)[0] or "").startswith("image/"),
        alike="very near" if distance < 0.1 else "near" if distance < 0.2 else "somewhat near",
    )


handlers = [show, trace]
