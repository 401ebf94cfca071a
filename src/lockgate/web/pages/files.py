"""The files of a project at a branch or a commit."""

from __future__ import annotations

import mimetypes
import posixpath
from pathlib import Path
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.errors import UserError
from lockgate.git.contents import read_many
from lockgate.git.defaultbranch import default_branch
from lockgate.git.program import attempt
from lockgate.git.revision import first_commit
from lockgate.web.pages.branches import branches_of
from lockgate.web.pages.commit import Commit, read_commit
from lockgate.web.pages.notebook_answer import notebook_answer
from lockgate.web.render import render
from lockgate.web.security import SANDBOX
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_TEXT_BYTES = 500_000
_ROWS_AT_MOST = 5000


class Item(msgspec.Struct, frozen=True):
    """One row of a folder; a folder's size is not told."""

    name: str
    path: str
    is_folder: bool
    size_bytes: int | None


@get("/p/{project:str}/files", include_in_schema=False, sync_to_thread=True)
def show_root(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, at: str = ""
) -> Response[bytes]:
    return _show(request, service, visitor, project, "", at, is_raw=False)


@get("/p/{project:str}/files/{path:path}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    path: str,
    at: str = "",
    raw: bool = False,
    cells: bool = False,
) -> Response[bytes]:
    return _show(request, service, visitor, project, path.strip("/"), at, is_raw=raw, is_cells=cells)


def _show(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    path: str,
    at: str,
    *,
    is_raw: bool,
    is_cells: bool = False,
) -> Response[bytes]:
    visitor.require("read", project)
    repository = service.hub.repository(project)
    branches = branches_of(repository)
    name = at or default_branch(repository).removeprefix("refs/heads/")
    if not branches and not at:
        return render(
            request, "files.html", project=project, tab="files", commit=None, where="", items=[], at=""
        )
    commit = _commit(repository, name, branches)
    if path and ("\n" in path or "\0" in path):
        raise _unknown(path, name)
    blob = next(read_many(repository, [f"{commit.id}:{path}"]), None) if path else None
    if path and blob is None:
        raise _unknown(path, name)
    is_file = blob is not None and blob.kind == "blob"
    content = blob.content if blob is not None and is_file else b""
    if is_raw and is_file:
        return _raw(path, content)
    if is_cells and is_file and path.endswith(".ipynb"):
        return notebook_answer(path, content)
    return render(
        request,
        "files.html" if not is_file else "file.html",
        project=project,
        tab="files",
        commit=commit,
        at=name,
        branches=branches,
        where=path,
        crumbs=[(part, "/".join(path.split("/")[: n + 1])) for n, part in enumerate(path.split("/"))]
        if path
        else [],
        items=[] if is_file else _items(repository, commit.id, path),
        size=len(content),
        is_notebook=path.endswith(".ipynb"),
        is_image=(mimetypes.guess_type(path)[0] or "").startswith("image/"),
        text=None if b"\0" in content[:8000] else content[:_TEXT_BYTES].decode("utf-8", "replace"),
        is_cut=len(content) > _TEXT_BYTES,
    )


def _commit(repository: Path, name: str, branches: list[str]) -> Commit:
    if name in branches:
        name = first_commit(repository, f"refs/heads/{name}") or name
    return read_commit(repository, name)


def _items(repository: Path, commit: str, path: str) -> list[Item]:
    """What lies in a folder, folders first."""
    code, output, _ = attempt(repository, "ls-tree", "-l", "-z", f"{commit}:{path}")
    items = []
    for line in output.decode("utf-8", "replace").split("\0")[:_ROWS_AT_MOST] if code == 0 else ():
        about, tab, name = line.partition("\t")
        if tab:
            _, kind, _, size = about.split()
            items.append(
                Item(name, posixpath.join(path, name), kind == "tree", int(size) if size.isdigit() else None)
            )
    return sorted(items, key=lambda item: (not item.is_folder, item.name))


def _raw(path: str, content: bytes) -> Response[bytes]:
    kind = mimetypes.guess_type(path)[0] or ""
    is_shown = kind.startswith("image/")
    name = quote(posixpath.basename(path), safe="")
    headers = {
        "content-security-policy": SANDBOX,
        "content-disposition": f"{'inline' if is_shown else 'attachment'}; filename*=utf-8''{name}",
    }
    return Response(content, media_type=kind if is_shown else "application/octet-stream", headers=headers)


def _unknown(path: str, at: str) -> UserError:
    return UserError(
        f"there is no {path[:200]!r} in {at[:100]}",
        "Look at another branch, or go up a folder.",
        code="file-unknown",
    )


handlers = [show_root, show]
