"""What checks found of one table: the newest verdict, and the reports of the versions that were accepted."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from lockgate.data.acceptance import Acceptance
from lockgate.data.dataset_versions import versions_of
from lockgate.data.versions import blobs
from lockgate.git.program import attempt
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.supplying.drift_reference import reports_left
from lockgate.runs.checked import PREFIX, report_path

#: So many of a project's newest runs are looked through for one that checked the table.
_RUNS = 50
_REPORTS = 20
#: States of a job that checked → what its table is; only what passed is known already.
_JUDGED = {"succeeded": "succeeded", "cached": "succeeded", "failed": "failed"}


class Row(msgspec.Struct, frozen=True):
    """A row that fails: its number, counted from 1 below the header, and what stands there."""

    row: int
    value: str


class Failure(msgspec.Struct, frozen=True):
    """A rule that does not hold. `count` 0: it is about the whole table."""

    rule: str
    column: str | None
    words: str
    count: int
    first: tuple[Row, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """A report as a check leaves it in `checks/`. `rows` null: the file could not be read as a table."""

    has_passed: bool
    rows: int | None
    columns: tuple[str, ...]
    rules: int
    failures: tuple[Failure, ...] = ()
    drift: dict[str, float] = {}
    """Column → population stability index, against the version accepted before."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the newest run that checked the table said. `report` null: it left none."""

    run: str
    state: str
    at: float | None
    """When the check ended: seconds since the epoch."""
    cause: str | None
    report: Report | None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A report that became part of the branch."""

    commit: str
    committed_at: float
    report: Report


class DatasetChecks(msgspec.Struct, frozen=True):
    newest: Verdict | None = None
    accepted: tuple[Accepted, ...] = ()
    """Newest first."""
    drift_accepted: tuple[Acceptance, ...] = ()
    """Newest first."""

    @property
    def is_known(self) -> bool:
        return self.newest is not None or bool(self.accepted)


def dataset_checks(
    hub: Hub, index: Index, project: str, commit: str, path: str, run: str | None = None
) -> DatasetChecks:
    """Return what checks found of a table, as seen from a commit; `run`: the verdict is that run's."""
    repository = hub.repository(project)
    return DatasetChecks(
        newest_verdict(repository, index, project, path, run),
        accepted_reports(repository, commit, path, reports_left(index, repository, project, path)),
        tuple(index.acceptances(project, path)),
    )


def accepted_reports(
    repository: Path, commit: str, path: str, left: Collection[str] = ()
) -> tuple[Accepted, ...]:
    """Return the reports on a table in a commit's history, newest first.

    `left`: the blobs of those that runs left, where that is known: others may have been written by anybody.
    """
    versions = [
        version
        for version in versions_of(repository, commit, report_path(path), None, _REPORTS)
        if version.git is not None and (not left or version.git in left)
    ]
    texts = blobs(repository, [version.git for version in versions if version.git is not None])
    found = []
    for version, text in zip(versions, texts, strict=True):
        report = _report(text)
        if report is not None:
            found.append(Accepted(commit=version.commit, committed_at=version.committed_at, report=report))
    return tuple(found)


def newest_verdict(
    repository: Path, index: Index, project: str, path: str, only: str | None = None
) -> Verdict | None:
    """Return what the newest run that checked a table said; `only`: what this run said."""
    own = index.run(only) if only is not None else None
    for run in index.runs(project, _RUNS) if only is None else filter(None, [own]):
        for job in index.jobs(run.request.id):
            if job.stage == f"{PREFIX}{path}" and job.state in _JUDGED:
                return Verdict(
                    run=run.request.id,
                    state=_JUDGED[job.state],
                    at=job.ended_at,
                    cause=job.cause,
                    report=_left_by(repository, run, path),
                )
    return None


def _left_by(repository: Path, run: RunRow, path: str) -> Report | None:
    if run.result_commit is None:
        return None
    code, text, _ = attempt(repository, "cat-file", "blob", f"{run.result_commit}:{report_path(path)}")
    return _report(text) if code == 0 else None


def _report(text: bytes) -> Report | None:
    """Return a report; None where the file is none: a member may have written anything there."""
    try:
        return msgspec.json.decode(text, type=Report)
    except msgspec.DecodeError:
        return None
