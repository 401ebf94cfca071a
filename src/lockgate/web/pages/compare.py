"""Two or more runs side by side."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.errors import LockgateError, UserError
from lockgate.hub.comparison import side_of
from lockgate.hub.indexing.queries import RunView, list_runs, show_run
from lockgate.hub.showing import file_diff, notebook_cells
from lockgate.hub.showing.artifact_content import File, files_of, read_file
from lockgate.hub.showing.notebook_cells import read_notebook
from lockgate.hub.showing.notebook_diff import notebook_diff
from lockgate.hub.software.runtimes import Runtimes
from lockgate.project.pipeline import LOCK_FILE
from lockgate.runs.natural_order import natural_key
from lockgate.runs.record import Artifact
from lockgate.runs.side_by_side import made_rows, rows_of
from lockgate.web.pages.changes import diff_of
from lockgate.web.pages.table_rows import TableRow, table_row
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

MOST = 6
_OFFERED = 50
_NOTEBOOKS_AT_MOST = 20


class FigureRow(msgspec.Struct, frozen=True):
    path: str
    files: tuple[File | None, ...]
    is_same: bool


@get("/p/{project:str}/compare", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str
) -> Response[bytes]:
    """The runs asked for side by side; fewer than two: a choice."""
    visitor.require("read", project)
    given = request.query_params.getall("runs", [])
    asked = [name.strip() for one in given for name in one.split(",") if name.strip()]
    views = [show_run(service.hub, project, name) for name in dict.fromkeys(asked)]
    if len(given) > 1:
        # Ticked in a table, which tells no order: the older is what the newer is compared with
        views.sort(key=lambda view: view.line.created_at)
    if len(views) > MOST:
        raise UserError(
            f"{len(views)} runs do not stand side by side", f"Choose at most {MOST}.", code="request-invalid"
        )
    if len(views) < 2:
        offered = list_runs(service.hub, project, _OFFERED)
        return render(
            request,
            "compare_choose.html",
            project=project,
            tab="runs",
            runs=offered,
            chosen={v.line.id for v in views},
        )
    runtimes = Runtimes(service.hub.runtimes)
    repository = service.hub.repository(project)
    sides = [side_of(repository, view, runtimes) for view in views]
    return render(
        request,
        "compare.html",
        project=project,
        tab="runs",
        views=views,
        parameters=rows_of([side.parameters for side in sides]),
        metrics=rows_of([side.metrics for side in sides]),
        packages=[row for row in rows_of([side.packages for side in sides]) if not row.is_same],
        figures=_figures(service, project, views),
        tables=_tables(service, project, views),
        notebooks=_notebooks(service, project, views),
        artifacts=made_rows([side.artifacts for side in sides]),
        code=[(at, _code(repository, views[0], view)) for at, view in enumerate(views) if at],
    )


def _figures(service: Service, project: str, views: list[RunView]) -> list[FigureRow]:
    """The figures of all runs by path, those that differ first."""
    sides: list[dict[str, tuple[File, str]]] = []
    for view in views:
        side: dict[str, tuple[File, str]] = {}
        for artifact in view.artifacts:
            for file in files_of(service.hub, project, artifact, 100):
                if file.kind == "figure" and not file.path.endswith(".pdf"):
                    side[file.path] = (file, file.git or file.md5 or "")
        sides.append(side)
    rows = [
        FigureRow(
            path,
            tuple(side[path][0] if path in side else None for side in sides),
            len({side[path][1] if path in side else "" for side in sides}) == 1,
        )
        for path in sorted({path for side in sides for path in side}, key=natural_key)
    ]
    return sorted(rows, key=lambda row: row.is_same)


def _tables(service: Service, project: str, views: list[RunView]) -> list[TableRow]:
    return [
        table_row(service, project, _file(service, project, first), _file(service, project, artifact), at)
        for first, artifact, at in _changed(views, "table")
    ]


def _changed(views: list[RunView], kind: str) -> Iterator[tuple[Artifact, Artifact, int]]:
    """Yield each file of a kind that another run made otherwise than the first, and which run that is."""
    firsts = {artifact.path: artifact for artifact in views[0].artifacts if artifact.kind == kind}
    for at, view in enumerate(views[1:], start=1):
        for artifact in view.artifacts:
            first = firsts.get(artifact.path)
            if first is not None and first.md5 != artifact.md5 and not artifact.md5.endswith(".dir"):
                yield first, artifact, at


def _notebooks(
    service: Service, project: str, views: list[RunView]
) -> list[tuple[int, file_diff.FileDiff | None, str]]:
    """What differs in notebooks, by cells: with which run, the changes or None, and why there are none."""
    found: list[tuple[int, file_diff.FileDiff | None, str]] = []
    for first, artifact, at in islice(_changed(views, "notebook"), _NOTEBOOKS_AT_MOST):
        if not artifact.path.endswith(".ipynb"):
            continue
        try:
            old, new = (
                read_notebook(_content(service, project, made, notebook_cells.MOST_BYTES + 1))
                for made in (first, artifact)
            )
            found.append((at, notebook_diff(artifact.path, "changed", old, new), ""))
        except LockgateError as error:
            found.append((at, None, f"{artifact.path}: {error.message}"))
        except ValueError as error:
            found.append((at, None, f"{artifact.path}: {error}"))
    return found


def _content(service: Service, project: str, artifact: Artifact, limit_bytes: int) -> bytes:
    file = _file(service, project, artifact)
    return read_file(service.hub, project, file, limit_bytes) if file else b""


def _file(service: Service, project: str, artifact: Artifact) -> File | None:
    return next(files_of(service.hub, project, artifact), None)


def _code(repository: Path, one: RunView, other: RunView) -> list[file_diff.FileDiff]:
    """The changes of the code between two snapshots; what stages make is compared as artifacts."""
    if one.line.commit == other.line.commit:
        return []
    made = {artifact.path for view in (one, other) for artifact in view.artifacts}
    left_out = [f":(exclude,literal){path}" for path in (LOCK_FILE, *sorted(made)[:500])]
    return diff_of(repository, one.line.commit, other.line.commit, *left_out)


handlers = [show]
