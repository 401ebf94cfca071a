"""The version that a table's drift is judged by: what passed last on the default branch, as the hub knows it.

A report in a pushed commit is a file like others, and whoever pushes may have written it. So it is not asked,
as long as the hub itself saw a version pass.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from lockgate.data.acceptance import reference
from lockgate.git.batch import Batch
from lockgate.git.contents import AS_WRITTEN
from lockgate.git.defaultbranch import default_branch
from lockgate.git.listing import FOLDER, LINK, Listing
from lockgate.git.program import attempt
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import RunRow
from lockgate.project.pipeline import Pipeline
from lockgate.runs.checked import PREFIX, Reference, may_drift, report_path

#: So many runs that a check passed in are looked at, the newest first.
_RUNS = 200


def references(
    index: Index,
    batch: Batch,
    project: str,
    commit: str,
    pipeline: Pipeline,
    files: Listing,
    *,
    is_quarantined: bool = False,
) -> dict[str, Reference]:
    """Return stage → what it compares with, of the checks for drift at a snapshot.

    `files`: the snapshot's. `is_quarantined`: it is of a push under way. Raises `OutsideError`.
    """
    is_before = _ancestry(batch.repository, commit, is_quarantined=is_quarantined)
    found: dict[str, Reference] = {}
    for stage in pipeline.stages:
        if stage.checks is None or stage.check is None or not may_drift(stage.check):
            continue
        runs = _passed(index, project, stage.checks)
        entry = files.get(report_path(stage.checks))
        own = entry.id if entry is not None and entry.mode not in (LINK, FOLDER) else None
        passed = _passed_last(batch, runs, stage.checks, is_before)
        if passed is not None:
            is_edited = own not in (None, passed) and own not in _reports(batch, runs, stage.checks)
        else:
            # Nothing passed yet that could be overridden: a project may come from elsewhere with its reports
            passed, is_edited = own, False
        if passed is not None:
            report = reference(index.acceptances(project, stage.checks), passed)
            found[stage.name] = Reference(passed=passed, report=report, is_edited=is_edited)
    return found


def report_passed(index: Index, repository: Path, project: str, commit: str, path: str) -> str:
    """Return the blob of the report on the version that passed last, seen from a snapshot; empty: none."""
    with Batch(repository) as batch:
        runs = _passed(index, project, path)
        found = _passed_last(batch, runs, path, _ancestry(repository, commit, is_quarantined=False))
        if found is None:
            own = batch.read(f"{commit}:{report_path(path)}")
            found = own.id if own is not None else ""
        return found


def reports_left(index: Index, repository: Path, project: str, path: str) -> frozenset[str]:
    """Return the blobs of the reports on versions that passed, in any run, or were accepted."""
    with Batch(repository) as batch:
        passed = _reports(batch, _passed(index, project, path), path)
    return passed | {each.report for each in index.acceptances(project, path)}


def _passed(index: Index, project: str, path: str) -> list[RunRow]:
    runs = index.passed(project, f"{PREFIX}{path}", _RUNS)
    return [run for run in runs if run.request.proof is None]


def _passed_last(batch: Batch, runs: list[RunRow], path: str, is_before: Callable[[str], bool]) -> str | None:
    """A branch of one's own has one's own rules in its `lockgate.toml`: what passed there moves nothing."""
    default = default_branch(batch.repository)
    for run in runs:
        if run.request.ref == default and is_before(run.request.commit):
            report = batch.read(_place(run, path))
            if report is not None and report.kind == "blob":
                return report.id
    return None


def _reports(batch: Batch, runs: list[RunRow], path: str) -> frozenset[str]:
    found = batch.read_many([_place(run, path) for run in runs])
    return frozenset(each.id for each in found if each is not None)


def _place(run: RunRow, path: str) -> str:
    return f"{run.result_commit or run.request.commit}:{report_path(path)}"


def _ancestry(repository: Path, commit: str, *, is_quarantined: bool) -> Callable[[str], bool]:
    @cache
    def is_before(other: str) -> bool:
        words = ("merge-base", "--is-ancestor", other, commit)
        return attempt(repository, *words, quarantine=is_quarantined, environment=AS_WRITTEN)[0] == 0

    return is_before
