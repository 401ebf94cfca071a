"""What a page shows of the project of an open file: is it one, and which stages would run and why."""

from __future__ import annotations

from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.git.worktree import head
from lockgate.hub.worktree.standing import Standing, standing
from lockgate.jupyter.service import Service
from lockgate.project.pipeline import Scalar

State = Literal["no-project", "broken", "known", "would-run", "running"]
#: In no repository, or in one without a pipeline: then a button offers to begin.
_NO_PROJECT = ("not-a-repository", "bare-repository", "no-manifest")


class StageStanding(msgspec.Struct, frozen=True):
    """One stage, as a menu and a list show it."""

    name: str
    is_known: bool
    reason: str
    notebook: str | None
    """Its notebook, below the project's root."""


class ProjectStanding(msgspec.Struct, frozen=True):
    """The project of one open file."""

    state: State
    root: str = ""
    """The project's folder, as Jupyter calls it."""
    project: str = ""
    branch: str | None = None
    path: str = ""
    """The file asked about, below the project's root."""
    words: str = ""
    """The whole in one line."""
    hint: str = ""
    stages: tuple[StageStanding, ...] = ()
    params: dict[str, Scalar] = {}
    running: tuple[str, ...] = ()
    """Runs that were started here and go on."""


def look(service: Service, path: str) -> ProjectStanding:
    """Return how the project of a file stands; a project that cannot be read is `broken`, with the cause."""
    try:
        project = service.project_at(path)
    except UserError as error:
        if error.code not in _NO_PROJECT:
            raise
        return ProjectStanding("no-project", words="This folder is not a project yet", hint=error.hint)
    root, inside = service.called(project), service.inside(project, path)
    running = service.running_in(project)
    try:
        found = standing(project, {})
    except UserError as error:
        branch, _ = head(project)
        if error.code in _NO_PROJECT:
            return ProjectStanding(
                "no-project",
                root,
                project.name,
                branch,
                inside,
                "This folder is not a project yet",
                error.hint,
            )
        return ProjectStanding("broken", root, project.name, branch, inside, error.message, error.hint)
    to_run = [stage for stage in found.stages if stage.reused is None]
    if to_run:
        service.hooks.stand_by(project)  # what a press needs has started before it comes
    return ProjectStanding(
        "running" if running else "would-run" if to_run else "known",
        root,
        found.project,
        found.branch,
        inside,
        _words(found),
        "",
        tuple(
            StageStanding(stage.name, stage.reused is not None, stage.reason, found.notebooks.get(stage.name))
            for stage in found.stages
        ),
        found.params,
        running,
    )


def _words(found: Standing) -> str:
    to_run = [stage for stage in found.stages if stage.reused is None]
    if not to_run:
        return "Nothing to do: all results are known"
    first = f"{to_run[0].name}: {to_run[0].reason}"
    return first if len(to_run) == 1 else f"{len(to_run)} of {len(found.stages)} stages would run. {first}"
