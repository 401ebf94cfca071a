"""The page of one commit: who, when, why, and what it changed."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.errors import UserError
from lockgate.git.objects import EMPTY_TREE
from lockgate.git.program import attempt
from lockgate.web.pages.changes import diff_of
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_HEX = re.compile(r"[0-9a-f]{7,40}")
_RUN = re.compile(r"^Lockgate-Run: ([0-9A-Z]{26})$", re.MULTILINE)


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A commit as its page tells of it."""

    id: str
    parents: tuple[str, ...]
    author: str
    email: str
    at: str
    committer: str
    subject: str
    body: str

    @property
    def run(self) -> str | None:
        """The run whose results it holds."""
        found = _RUN.search(self.body)
        return found[1] if found else None


def read_commit(repository: Path, name: str) -> Commit:
    """Return a commit by its id or the beginning of one. Raises `UserError` (`commit-unknown`)."""
    form = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%s%x00%b"
    code, output = 1, b""
    if _HEX.fullmatch(name):
        code, output, _ = attempt(repository, "log", "-1", f"--format={form}", "--end-of-options", name, "--")
    fields = output.decode("utf-8", "replace").rstrip("\n").split("\0")
    if code != 0 or len(fields) != 8:
        raise UserError(
            f"the project has no commit {name[:40]}",
            "Its commits stand in its activity.",
            code="commit-unknown",
        )
    oid, parents, author, email, at, committer, subject, body = fields
    return Commit(
        id=oid,
        parents=tuple(parents.split()),
        author=author,
        email=email,
        at=at,
        committer=committer,
        subject=subject,
        body=body.strip(),
    )


@get("/p/{project:str}/commits/{commit:str}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, commit: str
) -> Response[bytes]:
    """A commit and its changes to what was before."""
    visitor.require("read", project)
    repository = service.hub.repository(project)
    found = read_commit(repository, commit)
    before = found.parents[0] if found.parents else EMPTY_TREE
    return render(
        request,
        "commit.html",
        project=project,
        tab="files",
        commit=found,
        files=diff_of(repository, before, found.id),
    )


handlers = [show]
