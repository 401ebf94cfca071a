"""The page of one file that a run made: a figure, a table, text; its bytes, never with our pages' rights."""

from __future__ import annotations

import mimetypes
import posixpath
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.response import File as FileResponse

from lockgate.hub.artifact_content import File, find_file, read_file, stored_at
from lockgate.hub.queries import show_run
from lockgate.web.pages import tabular
from lockgate.web.render import render
from lockgate.web.security import SANDBOX
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_ROWS = 50
_TEXT_BYTES = 300_000
_SHOWN = {
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/svg+xml",
    "text/html",
    "application/pdf",
}


@get("/p/{project:str}/artifacts/{run:str}/{file:path}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    run: str,
    file: str,
    raw: bool = False,
    save: bool = False,
    start: int = 0,
    sort: str = "",
) -> Response[bytes] | FileResponse:
    visitor.require("read", project)
    view = show_run(service.hub, project, run)
    found = find_file(service.hub, project, view.artifacts, file.removeprefix("/"))
    if raw or save:
        return _bytes_of(service, project, found, is_saved=save)
    table = None
    if found.kind == "table":
        content = read_file(service.hub, project, found, tabular.READ_BYTES)
        parsed = tabular.parse(content, found.path)
        table = tabular.page(parsed, start, _ROWS, sort) if parsed else None
    return render(
        request,
        "artifact.html",
        project=project,
        tab="runs",
        run=view,
        file=found,
        maker=next(
            (r for r in view.records.values() if any(_holds(a.path, found.path) for a in r.artifacts)), None
        ),
        table=table,
        rows=_ROWS,
        sort=sort,
        form=_form(found),
        text=_text(service, project, found) if table is None and _form(found) == "text" else None,
    )


def _bytes_of(
    service: Service, project: str, file: File, *, is_saved: bool
) -> Response[bytes] | FileResponse:
    """The file itself, in a sandbox of its own: what a member's file holds never acts on our pages."""
    kind = mimetypes.guess_type(file.path)[0] or "application/octet-stream"
    is_shown = kind in _SHOWN and not is_saved
    name = quote(posixpath.basename(file.path), safe="")
    headers = {
        "content-security-policy": SANDBOX,
        "content-disposition": f"{'inline' if is_shown else 'attachment'}; filename*=utf-8''{name}",
        "cache-control": "private, max-age=3600",
    }
    media = kind if is_shown else "application/octet-stream"
    place = stored_at(service.hub, file)
    if place is not None:
        return FileResponse(place, media_type=media, headers=headers)
    content = read_file(service.hub, project, file, file.size_bytes)
    return Response(content, media_type=media, headers=headers)


def _form(file: File) -> str:
    kind = mimetypes.guess_type(file.path)[0] or ""
    if kind.startswith("image/"):
        return "figure"
    if kind == "text/html":
        return "page"
    return "text"


def _text(service: Service, project: str, file: File) -> str | None:
    """The beginning of a file as text; None where it is none."""
    content = read_file(service.hub, project, file, _TEXT_BYTES)
    if b"\0" in content:
        return None
    return content.decode("utf-8", "replace")


def _holds(artifact: str, path: str) -> bool:
    return path == artifact or path.startswith(artifact.rstrip("/") + "/")


handlers = [show]
