"""Two or more runs side by side."""

from __future__ import annotations

from pathlib import Path

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.errors import LockgateError, UserError
from lockgate.git.program import attempt
from lockgate.hub.artifact_content import File, files_of, read_file
from lockgate.hub.queries import RunView, list_runs, show_run
from lockgate.hub.runtimes import Runtimes
from lockgate.project.pipeline import LOCK_FILE
from lockgate.runs.record import Artifact
from lockgate.runs.table_difference import MOST_BYTES, TableDifference, table_difference
from lockgate.web.pages import diffs
from lockgate.web.pages.side_by_side import made_rows, parameters_of, rows_of
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

MOST = 6
_OFFERED = 50
_DIFF_BYTES = 2_000_000


class FigureRow(msgspec.Struct, frozen=True):
    path: str
    files: tuple[File | None, ...]
    is_same: bool


class TableRow(msgspec.Struct, frozen=True):
    """What differs in one table between the first run and another."""

    path: str
    other: int
    found: TableDifference | None
    problem: str = ""
    """Why nothing could be found."""


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
    packages = rows_of([_packages(runtimes, view) for view in views])
    made = made_rows([view.artifacts for view in views])
    repository = service.hub.repository(project)
    return render(
        request,
        "compare.html",
        project=project,
        tab="runs",
        views=views,
        parameters=rows_of([parameters_of(view) for view in views]),
        metrics=rows_of([view.metrics for view in views]),
        packages=[row for row in packages if not row.is_same],
        figures=_figures(service, project, views),
        tables=_tables(service, project, views),
        artifacts=made,
        code=[(at, _code(repository, views[0], view)) for at, view in enumerate(views) if at],
    )


def _packages(runtimes: Runtimes, view: RunView) -> dict[str, float | int | str]:
    digest = next((record.runtime for record in view.records.values()), None)
    return dict(runtimes.packages(digest)) if digest else {}


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
        for path in sorted({path for side in sides for path in side})
    ]
    return sorted(rows, key=lambda row: row.is_same)


def _tables(service: Service, project: str, views: list[RunView]) -> list[TableRow]:
    rows: list[TableRow] = []
    firsts = {artifact.path: artifact for artifact in views[0].artifacts if artifact.kind == "table"}
    for at, view in enumerate(views[1:], start=1):
        for artifact in view.artifacts:
            first = firsts.get(artifact.path)
            if first is None or first.md5 == artifact.md5 or artifact.md5.endswith(".dir"):
                continue
            rows.append(_table_row(service, project, first, artifact, at))
    return rows


def _table_row(service: Service, project: str, first: Artifact, artifact: Artifact, at: int) -> TableRow:
    try:
        one, other = (_content(service, project, table) for table in (first, artifact))
        return TableRow(artifact.path, at, table_difference(one, other))
    except LockgateError as error:
        return TableRow(artifact.path, at, None, error.message)
    except ValueError as error:
        return TableRow(artifact.path, at, None, str(error))


def _content(service: Service, project: str, artifact: Artifact) -> bytes:
    file = next(files_of(service.hub, project, artifact), None)
    return read_file(service.hub, project, file, MOST_BYTES + 1) if file else b""


def _code(repository: Path, one: RunView, other: RunView) -> list[diffs.FileDiff]:
    """The changes of the code between two snapshots; what stages make is compared as artifacts."""
    if one.line.commit == other.line.commit:
        return []
    made = {artifact.path for view in (one, other) for artifact in view.artifacts}
    left_out = [f":(exclude,literal){path}" for path in (LOCK_FILE, *sorted(made)[:500])]
    return diff_of(repository, one.line.commit, other.line.commit, *left_out)


def diff_of(repository: Path, one: str, other: str, *left_out: str) -> list[diffs.FileDiff]:
    """Return what changed between two commits or trees, as files."""
    options = (
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--find-renames",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    )
    paths = ("--", ".", *left_out) if left_out else ("--",)
    code, output, _ = attempt(repository, "diff-tree", "-p", *options, one, other, *paths)
    return diffs.parse(output[:_DIFF_BYTES]) if code == 0 else []


handlers = [show]
