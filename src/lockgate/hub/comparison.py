"""Two runs of a project side by side, gathered from the index and from git."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.queries import RunView, read_metrics, show_run
from lockgate.hub.software.runtimes import Runtimes
from lockgate.project.pipeline import LOCK_FILE
from lockgate.runs.comparison import CodeChange, Comparison, Side, compare

_WENT_WELL = ("succeeded", "cached")


def compare_runs(hub: Hub, project: str, left: str, right: str) -> Comparison:
    """Return what differs between two runs, each named by its id or the end of one.

    Raises `UserError`: `run-unknown`, `run-ambiguous`; `OutsideError`: `git-failed`, `index-damaged`.
    """
    runtimes = Runtimes(hub.runtimes)
    repository = hub.repository(project)
    one = side_of(repository, show_run(hub, project, left), runtimes)
    other = side_of(repository, show_run(hub, project, right), runtimes)
    return compare(one, other, code_changes(repository, one.commit, other.commit))


def code_changes(repository: Path, left: str, right: str) -> list[CodeChange]:
    """Return the files that differ between two commits, the lock file left out."""
    if left == right:
        return []
    output = git(repository, "diff-tree", "-r", "-z", "--no-renames", "--name-status", left, right)
    words = output.decode("utf-8", "backslashreplace").split("\0")[:-1]
    changes = [CodeChange(status, path) for status, path in zip(words[::2], words[1::2], strict=True)]
    return [change for change in changes if change.path != LOCK_FILE]


def side_of(repository: Path, view: RunView, runtimes: Runtimes) -> Side:
    """Return what is compared of a run."""
    states = {job.stage: job.state for job in view.stages}
    # A stage that failed has, in the lock file, the record of an earlier run
    records = {stage: record for stage, record in view.records.items() if states[stage] in _WENT_WELL}
    side = Side(
        run=view.line.id,
        state=view.line.state,
        commit=view.line.commit,
        params=view.params,
        records=records,
        states=states,
        metrics=read_metrics(repository, records),
    )
    packages = runtimes.packages(side.runtime) if side.runtime is not None else {}
    return msgspec.structs.replace(side, packages=packages)
