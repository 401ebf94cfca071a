"""Projects: those a visitor may read, and taking one onto the hub."""

from __future__ import annotations

import msgspec
from litestar import get, post

from lockgate.git.defaultbranch import default_branch
from lockgate.git.program import git
from lockgate.hub.members.rules import role_of
from lockgate.hub.worktree.admission import admit
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class Project(msgspec.Struct, frozen=True):
    """A project as a visitor sees it."""

    name: str
    role: str | None
    """The visitor's; None: the hub's owner or operator, who needs none."""
    git_url: str
    """Where git clones it."""


class Branch(msgspec.Struct, frozen=True):
    name: str
    commit: str


class ProjectView(msgspec.Struct, frozen=True):
    """A project with its branches."""

    project: Project
    default_branch: str
    branches: tuple[Branch, ...]
    leads: tuple[str, ...]


class NewProject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


@get("/projects", sync_to_thread=True)
def list_projects(service: Service, visitor: Visitor) -> list[Project]:
    """The projects that the visitor may read."""
    visitor.require_known()
    return [_project(service, visitor, name) for name in visitor.projects()]


@post("/projects", sync_to_thread=True)
def add(service: Service, visitor: Visitor, data: NewProject) -> Project:
    """Take a project onto the hub; one that is there stays."""
    visitor.require("add-project")
    admit(service.hub, data.name)
    return _project(service, visitor, data.name)


@get("/projects/{project:str}", sync_to_thread=True)
def show(service: Service, visitor: Visitor, project: str) -> ProjectView:
    """A project, its branches and its leads."""
    visitor.require("read", project)
    repository = service.hub.repository(project)
    listed = git(repository, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads")
    branches = [line.partition(" ") for line in listed.decode("utf-8", "replace").splitlines()]
    return ProjectView(
        _project(service, visitor, project),
        default_branch(repository).removeprefix("refs/heads/"),
        tuple(Branch(ref.removeprefix("refs/heads/"), commit) for commit, _, ref in branches),
        service.book.leads(project),
    )


def _project(service: Service, visitor: Visitor, name: str) -> Project:
    role = role_of(visitor.actor, name) if visitor.actor is not None else None
    base = service.settings.public_url or service.settings.prefix
    return Project(name, role, f"{base}/git/{name}.git")


handlers = [list_projects, add, show]
