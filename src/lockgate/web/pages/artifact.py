"""The page of one file that a run made: a figure, a table, text; its bytes, never with our pages' rights."""

from __future__ import annotations

import mimetypes

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.response import File as FileResponse

from lockgate.hub.artifact_content import File, find_file, read_file
from lockgate.hub.queries import show_run
from lockgate.web.artifact_answer import answer_with
from lockgate.web.pages import tabular
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_ROWS = 50
_TEXT_BYTES = 300_000


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
    """A file as it is best looked at, or its bytes."""
    visitor.require("read", project)
    view = show_run(service.hub, project, run)
    found = find_file(service.hub, project, view.artifacts, file.removeprefix("/"))
    if raw or save:
        return answer_with(request, service, project, found, is_download=save)
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
