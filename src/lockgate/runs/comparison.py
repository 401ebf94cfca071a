"""Two runs side by side: what differs in what went in, and in what came out. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeVar

import msgspec

from lockgate.project.pipeline import Scalar
from lockgate.runs.checked import runtime_of
from lockgate.runs.natural_order import natural_key
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.side_by_side import Row, made_rows, parameters_of, rows_of

Verdict = Literal["same", "differs", "only-left", "only-right"]
_T = TypeVar("_T")


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared of one run."""

    run: str
    state: str
    commit: str
    params: Mapping[str, str] = {}
    """As asked for at the push."""
    records: Mapping[str, StageRecord] = {}
    """Of the stages that went well."""
    states: Mapping[str, str] = {}
    """Stage → state."""
    metrics: Mapping[str, float | str] = {}
    packages: Mapping[str, str] = {}

    @property
    def parameters(self) -> dict[str, float | int | str]:
        """What its stages took and what it was asked with."""
        return parameters_of(self.records, self.params)

    @property
    def artifacts(self) -> list[Artifact]:
        return [artifact for record in self.records.values() for artifact in record.artifacts]

    @property
    def runtime(self) -> str | None:
        """The digest of its runtime; None where no stage went well."""
        return runtime_of(self.records.values())


class ParameterDifference(msgspec.Struct, frozen=True):
    """One parameter; None: the run does not have it. `stages` is empty for one no stage took."""

    name: str
    left: Scalar | None
    right: Scalar | None
    stages: tuple[str, ...] = ()


class StateDifference(msgspec.Struct, frozen=True):
    stage: str
    left: str | None
    right: str | None


class PackageDifference(msgspec.Struct, frozen=True):
    name: str
    left: str | None
    right: str | None


class MetricRow(msgspec.Struct, frozen=True):
    """One metric of either run. `difference` is right − left, `relative` that over |left|."""

    name: str
    left: float | str | None
    right: float | str | None
    difference: float | None = None
    relative: float | None = None

    @property
    def is_same(self) -> bool:
        return self.left == self.right


class ArtifactRow(msgspec.Struct, frozen=True):
    path: str
    verdict: Verdict
    left_bytes: int | None
    right_bytes: int | None
    left_md5: str | None = None
    right_md5: str | None = None


class CodeChange(msgspec.Struct, frozen=True):
    """One file that differs between the snapshots; `status` is git's letter (git-diff(1), --name-status)."""

    status: str
    path: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that differs between two runs, `left` and `right`; metrics and artifacts that agree too."""

    left: str
    right: str
    left_state: str
    right_state: str
    left_commit: str
    right_commit: str
    left_runtime: str | None
    right_runtime: str | None
    parameters: tuple[ParameterDifference, ...]
    packages: tuple[PackageDifference, ...]
    states: tuple[StateDifference, ...]
    metrics: tuple[MetricRow, ...]
    artifacts: tuple[ArtifactRow, ...]
    code: tuple[CodeChange, ...]

    @property
    def is_same(self) -> bool:
        """Return whether nothing differs that decides or makes up a result; how a stage was settled
        (run or cached) does not count."""
        return not (
            self.parameters
            or self.packages
            or self.code
            or self.left_state != self.right_state
            or any(not row.is_same for row in self.metrics)
            or any(row.verdict != "same" for row in self.artifacts)
        )


def compare(left: Side, right: Side, code: Iterable[CodeChange] = ()) -> Comparison:
    """Return everything that differs between two runs, metrics and artifacts that agree too.

    Sorted by name, with 9 before 10. Of `code`, what either run's stages make is left out: it is compared
    as artifacts.
    """
    made = {artifact.path for side in (left, right) for artifact in side.artifacts}
    return Comparison(
        left=left.run,
        right=right.run,
        left_state=left.state,
        right_state=right.state,
        left_commit=left.commit,
        right_commit=right.commit,
        left_runtime=left.runtime,
        right_runtime=right.runtime,
        parameters=tuple(_parameters(left, right)),
        packages=tuple(
            PackageDifference(name, one, other)
            for name, one, other in _pairs(left.packages, right.packages)
            if one != other
        ),
        states=tuple(
            StateDifference(stage, one, other)
            for stage, one, other in _pairs(left.states, right.states)
            if one != other
        ),
        metrics=tuple(_metric(row) for row in _by_name(rows_of([left.metrics, right.metrics]))),
        artifacts=tuple(_artifact_rows(left, right)),
        code=tuple(
            change
            for change in sorted(code, key=lambda c: natural_key(c.path))
            if not _is_under(change.path, made)
        ),
    )


def _pairs(left: Mapping[str, _T], right: Mapping[str, _T]) -> Iterator[tuple[str, _T | None, _T | None]]:
    for name in sorted({*left, *right}, key=natural_key):
        yield name, left.get(name), right.get(name)


def _parameters(left: Side, right: Side) -> Iterator[ParameterDifference]:
    """Differences of what stages took, equal ones of several stages told once; then what no stage took."""
    found: dict[tuple[str, str, str], tuple[ParameterDifference, list[str]]] = {}
    taken: set[str] = set()
    for stage in sorted(left.records.keys() & right.records.keys(), key=natural_key):
        one, other = left.records[stage].params, right.records[stage].params
        taken |= {*one, *other}
        for name, mine, theirs in _pairs(one, other):
            # 1 and 1.0 and True are equal in Python and different words on a command line
            if mine != theirs or type(mine) is not type(theirs):
                row = ParameterDifference(name, mine, theirs)
                found.setdefault((name, repr(mine), repr(theirs)), (row, []))[1].append(stage)
    for _, (row, stages) in sorted(found.items(), key=lambda item: [*map(natural_key, item[0])]):
        yield msgspec.structs.replace(row, stages=tuple(stages))
    for name, asked, also in _pairs(left.params, right.params):
        if name not in taken and asked != also:
            yield ParameterDifference(name, asked, also)


def _by_name(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: natural_key(row.name))


def _metric(row: Row) -> MetricRow:
    left, right = row.cells
    return MetricRow(row.name, left.value, right.value, right.difference, right.relative)


def _artifact_rows(left: Side, right: Side) -> Iterator[ArtifactRow]:
    made = made_rows([left.artifacts, right.artifacts])
    for row in sorted(made, key=lambda row: natural_key(row.path)):
        one, other = row.artifacts
        verdict: Verdict = "same" if row.is_same else "differs"
        if one is None or other is None:
            verdict = "only-right" if one is None else "only-left"
        yield ArtifactRow(
            row.path,
            verdict,
            one.size_bytes if one else None,
            other.size_bytes if other else None,
            one.md5 if one else None,
            other.md5 if other else None,
        )


def _is_under(path: str, made: set[str]) -> bool:
    while path:
        if path in made:
            return True
        path = path.rpartition("/")[0]
    return False
