"""Checks of tables as stages of the pipeline: each checks one path, before the stages that need it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec
from msgspec.structs import replace

from lockgate.errors import UserError
from lockgate.project.check import rules_flat
from lockgate.project.globs import compile_glob, is_glob
from lockgate.project.pipeline import Check, Pipeline, Stage
from lockgate.runs.record import StageRecord

#: Before the path in the name of a stage that checks; no stage of a project can be called so.
PREFIX = "check@"
#: Where what was found is kept, beside the data's version.
REPORTS = "checks"

Where = Callable[[str], str]
"""The pattern of a check → `file:line: `."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What a table that may drift is compared with."""

    passed: str
    """The blob of the report on the version that passed last."""
    report: str
    """The blob to compare with: that one, or of the version accepted in its place."""
    is_edited: bool = False
    """The snapshot holds a report that no run has left: it does not count."""


def may_drift(check: Check) -> bool:
    """Return whether a check compares with an earlier version."""
    return any(column.drift is not None for column in check.columns.values())


def holds(record: StageRecord, reference: Reference | None) -> bool:
    """Return whether what a check found holds beside this reference: its table was compared with it, or it is
    of the version that passed last itself."""
    if reference is None or record.compared_with == reference.report:
        return True
    return any(made.git in (reference.passed, reference.report) for made in record.artifacts)


def report_path(path: str) -> str:
    """Return where the report on a table goes."""
    return f"{REPORTS}/{path}.json"


def is_check(stage: str) -> bool:
    """Return whether a stage of this name checks a table."""
    return stage.startswith(PREFIX)


def runtime_of(records: Iterable[StageRecord]) -> str | None:
    """Return the digest of the project's runtime that stages ran in: checks have one of their own."""
    every = list(records)
    own = (record.runtime for record in every if not is_check(record.stage))
    return next(own, None) or next((record.runtime for record in every), None)


def with_checks(pipeline: Pipeline, paths: Collection[str], where: Where = lambda pattern: "") -> Pipeline:
    """Add a stage for every table that a check is about; `paths`: the snapshot's files as stages see them.

    Of several checks that are about one path, the last one counts. Raises `UserError`: `check-nothing` for
    one that is about nothing, `makes-twice` where a stage makes what the report is to be.
    """
    if not pipeline.checks:
        return pipeline
    made = {path: stage for stage in pipeline.stages for path in stage.makes}
    checked: dict[str, Check] = {}
    for check in pipeline.checks:
        found = list(_about(check.pattern, made, paths))
        if not found:
            raise UserError(
                f"{where(check.pattern)}[checks]: {check.pattern} is not in the project, "
                "and no stage makes it",
                "Correct the path, add the file, or take the check out.",
                code="check-nothing",
            )
        for path in found:
            checked.pop(path, None)
            checked[path] = check
    stages = tuple(_stage(path, check) for path, check in checked.items())
    for stage in stages:
        for path in stage.makes:
            maker = made.get(path) or next((made[up] for up in _around(path) if up in made), None)
            if maker is not None:
                raise UserError(
                    f"{where(stage.group.removeprefix(PREFIX))}stage {maker.name} makes {path}, "
                    f"where the report on {stage.checks} belongs",
                    f"Let it write elsewhere: {REPORTS}/ holds what checks find.",
                    code="makes-twice",
                )
    return replace(pipeline, stages=(*pipeline.stages, *stages))


def _about(pattern: str, made: Collection[str], paths: Collection[str]) -> Iterator[str]:
    if not is_glob(pattern):
        is_there = (
            pattern in made or pattern in paths or any(up in made or up in paths for up in _around(pattern))
        )
        if is_there or any(path.startswith(pattern + "/") for path in (*paths, *made)):
            yield pattern
        return
    is_match = compile_glob(pattern)
    yield from sorted({path for path in (*paths, *made) if is_match(path) and not _is_report(path)})


def _is_report(path: str) -> bool:
    return path.startswith(f"{REPORTS}/") and path.endswith(".json")


def _around(path: str) -> Iterable[str]:
    at = path.rfind("/")
    while at > 0:
        path = path[:at]
        yield path
        at = path.rfind("/")


def _stage(path: str, check: Check) -> Stage:
    references = (each.references.file for each in check.columns.values() if each.references is not None)
    return Stage(
        name=f"{PREFIX}{path}",
        group=f"{PREFIX}{check.pattern}",
        command=f"check {path}",
        needs=tuple(dict.fromkeys((path, *references))),
        makes=(report_path(path),),
        params=rules_flat(check),
        resources=check.resources,
        backend=check.backend,
        checks=path,
        check=check,
    )
