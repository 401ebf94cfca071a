"""The scheduler of jupyter-scheduler with the hub behind it: `c.SchedulerApp.scheduler_class`.

Its base knows a job's notebook by name only; a project is found by where it lies, so that is kept with
the job and with the definition of a schedule.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_scheduler.models import Status
from jupyter_scheduler.scheduler import Scheduler
from traitlets import Type as TType

from lockgate.errors import LockgateError
from lockgate.git.worktree import member_here
from lockgate.hub.reaching.address import address
from lockgate.hub.worktree.asking import ask_cancel
from lockgate.jupyter.job_execution import NOTEBOOK, noted_run


class ProjectScheduler(Scheduler):  # type: ignore[misc]  # jupyter-scheduler brings no types
    """Runs the notebooks that are stages of a project on its hub, and all others as its base does."""

    execution_manager_class = TType(
        klass="jupyter_scheduler.executors.ExecutionManager",
        default_value="lockgate.jupyter.job_execution.JobExecution",
        config=True,
    )

    def create_job(self, model: Any) -> str:
        if not model.job_definition_id:
            _note(model)
        return str(super().create_job(model))

    def create_job_definition(self, model: Any) -> str:
        _note(model)
        return str(super().create_job_definition(model))

    def stop_job(self, job_id: str) -> None:
        """End the run on the hub too, not only the process that follows it."""
        job = self.get_job(job_id, False)
        noted = noted_run(Path(self.get_staging_paths(job)["input"]).parent)
        if noted is not None and job.status == Status.IN_PROGRESS:
            root, run = noted
            try:
                ask_cancel(address(None, None, root), run, member_here(root))
            except LockgateError as error:
                self.log.warning("run %s goes on: %s", run, error.as_cause)
        super().stop_job(job_id)


def _note(model: Any) -> None:
    model.runtime_environment_parameters = {
        **(model.runtime_environment_parameters or {}),
        NOTEBOOK: model.input_uri,
    }
