"""One notebook job of jupyter-scheduler, run on the hub; in a process of its own, of the scheduler's."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import nbformat
from jupyter_scheduler.executors import DefaultExecutionManager

from lockgate.errors import OutsideError, UserError
from lockgate.git.contents import read_many
from lockgate.git.worktree import find_root
from lockgate.hub.exchanging.carrying import Carried
from lockgate.hub.push import Options
from lockgate.hub.running.follow import Progress
from lockgate.hub.worktree.sending import Receipt
from lockgate.hub.worktree.submission import submit
from lockgate.project.pipeline import Stage
from lockgate.project.snapshot import WorktreeSource
from lockgate.runs.load import load
from lockgate.runs.notebook import executed_path

#: Among a job's runtime parameters: where its notebook lies below the server's folder.
NOTEBOOK = "lockgate-notebook"
#: Beside a job's notebook: its project and its run.
_RUN_FILE = "lockgate-run.json"
_NO_PROJECT = ("not-a-repository", "bare-repository", "no-manifest")


class JobExecution(DefaultExecutionManager):  # type: ignore[misc]  # jupyter-scheduler brings no types
    """Runs the notebook as `lockgate run --only STAGE --force STAGE` would, as it was when it was sent."""

    def execute(self) -> None:
        """Raises `UserError` (`job-other-notebook`), `OutsideError` (`job-run-failed`), and as `submit`; the
        job shows cause and way out."""
        job = self.model
        path = (job.runtime_environment_parameters or {}).get(NOTEBOOK, "")
        found = stages_of(Path(self.root_dir), path) if path else None
        if found is None:
            super().execute()
            return
        if PurePosixPath(path).name != job.input_filename:
            raise UserError(
                f"this schedule was made for {path}, and has {job.input_filename} now",
                "Make a schedule anew from the notebook that is meant.",
                code="job-other-notebook",
            )
        root, stages = found
        staged = Path(self.staging_paths["input"])
        notebook = stages[0].notebook or ""
        names = tuple(stage.name for stage in stages)

        def note(news: Receipt | Progress | Carried) -> None:
            if isinstance(news, Receipt):
                (staged.parent / _RUN_FILE).write_bytes(msgspec.json.encode((str(root), news.run)))

        options = Options(is_wait=True, params=job.parameters or {}, only=names, force=names)
        done = submit(root, options, note, {notebook: staged.read_bytes()})
        commit = done.ended.result_commit if done.ended else None
        if done.ended is None or done.ended.state != "succeeded" or commit is None:
            state = done.ended.state if done.ended else "lost"
            raise OutsideError(
                f"run {done.run[-8:]} of {', '.join(names)} ended: {state}",
                f"See why: lockgate show {done.run[-8:]}",
                code="job-run-failed",
            )
        self.create_output_files(job, _executed(root, commit, executed_path(notebook, stages[0].makes)))


def stages_of(server: Path, path: str) -> tuple[Path, tuple[Stage, ...]] | None:
    """Return the project of a notebook and the stages that are this notebook; None where it is no stage.

    `path`: below the server's folder. Raises `UserError` for a project that cannot be read.
    """
    place = (server / path).resolve()
    try:
        root = find_root(place.parent)
        loaded = load(WorktreeSource(root), {}, root.name)
    except UserError as error:
        if error.code in _NO_PROJECT:
            return None
        raise
    inside = place.relative_to(root.resolve()).as_posix()
    stages = tuple(stage for stage in loaded.pipeline.stages if stage.notebook == inside)
    return (root, stages) if stages else None


def noted_run(staging: Path) -> tuple[Path, str] | None:
    """Return the project and the run of a job, from where its notebook is staged; None before it has one."""
    try:
        root, run = msgspec.json.decode((staging / _RUN_FILE).read_bytes(), type=tuple[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return Path(root), run


def _executed(root: Path, commit: str, path: str) -> Any:
    """Return the executed copy, from the run's results; a copy too large for git is in the work tree."""
    (content,) = read_many(root, [f"{commit}:{path}"])
    raw = content.content if content is not None else b""
    if not raw.lstrip().startswith(b"{"):
        raw = (root / path).read_bytes()
    return nbformat.reads(raw.decode("utf-8"), as_version=4)  # type: ignore[no-untyped-call]
