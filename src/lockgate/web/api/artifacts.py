"""What runs made: listed, and their bytes."""

from __future__ import annotations

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.response import File

from lockgate.hub.indexing.queries import show_run
from lockgate.hub.showing.artifact_content import files_of, find_file
from lockgate.hub.supplying.object_lookup import find_object
from lockgate.runs.record import Artifact
from lockgate.web.artifact_answer import answer_with, object_answer
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class Folder(msgspec.Struct, frozen=True):
    """A folder that a run made."""

    path: str
    files: tuple[str, ...]


@get("/projects/{project:str}/runs/{run:str}/artifacts", sync_to_thread=True)
def list_artifacts(service: Service, visitor: Visitor, project: str, run: str) -> list[Artifact]:
    """What a run's stages made."""
    visitor.require("read", project)
    return show_run(service.hub, project, run).artifacts


@get("/projects/{project:str}/runs/{run:str}/artifacts/{path:path}", sync_to_thread=True)
def read(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    run: str,
    path: str,
    download: bool = False,
) -> Response[bytes] | Response[Folder] | File:
    """The bytes of a file that a run made; of a folder, what lies in it."""
    visitor.require("read", project)
    view, inside = show_run(service.hub, project, run), path.strip("/")
    made = view.artifacts
    for artifact in made:
        if artifact.path.rstrip("/") == inside and artifact.md5.endswith(".dir"):
            return Response(
                Folder(inside, tuple(each.path for each in files_of(service.hub, project, artifact)))
            )
    found = find_file(service.hub, project, made, inside)
    # What is not to be kept has its digest, for programs
    records = view.records if download else None
    return answer_with(request, service, project, found, is_download=download, records=records)


@get("/projects/{project:str}/objects/{md5:str}", sync_to_thread=True)
def read_object(service: Service, visitor: Visitor, project: str, md5: str) -> File:
    """An object of the store by its digest, if the project made it."""
    visitor.require("read", project)
    return object_answer(find_object(service.hub, project, md5))


handlers = [list_artifacts, read, read_object]
