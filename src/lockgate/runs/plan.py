"""Which stages are known by fingerprint, which must run, and why. Nothing is read here, nothing is run."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from lockgate.errors import UserError
from lockgate.git.listing import Listing
from lockgate.project.graph import topological, upstream
from lockgate.project.pipeline import Pipeline, Scalar, Stage
from lockgate.runs.checked import Reference, holds
from lockgate.runs.fingerprint import artifact_identity, fingerprint, source_identity
from lockgate.runs.inputs import WHOLE, Inputs, StageInputs
from lockgate.runs.notebook import implied_makes
from lockgate.runs.reason import Failure, reason
from lockgate.runs.record import StageRecord

Find = Callable[[str], StageRecord | None]
"""Fingerprint → the record of a stage that ran with it."""

Flat = Mapping[str, Scalar]


#: Between a stage's name and what is tried with it, in the name of a trial.
TRIAL = "~"


class Known(msgspec.Struct, frozen=True):
    """What earlier runs left, as planning sees it."""

    find: Find
    previous: Callable[[str], StageRecord | None]
    """Stage name → its newest record, to say what changed since."""
    files_at: Callable[[str], Listing | None] = lambda commit: None
    """Commit → its files as stages see them (`pointed.with_pointed`), to name what changed in a folder; None
    where the commit is not at hand."""
    package_changes: Callable[[str], Sequence[str]] = lambda runtime: ()
    """Digest of the earlier runtime → what differs in the one of now, as `numpy 2.3.1 → 2.3.2`."""
    failed: Callable[[str], Failure | None] = lambda stage: None
    """Stage name → how it failed in one of the latest runs, if it did not go well since."""
    references: Mapping[str, Reference] = {}
    """Name of a stage that checks → what its table is compared with."""


class PlannedStage(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    reason: str
    fingerprint: str | None = None
    """None: an upstream stage runs first, its artifacts decide."""
    reused: StageRecord | None = None

    @property
    def will_run(self) -> bool:
        return self.fingerprint is not None and self.reused is None


class Plan(msgspec.Struct, frozen=True):
    """Every stage of the run in an order in which they can run."""

    stages: tuple[PlannedStage, ...]
    upstream: dict[str, tuple[str, ...]]

    @property
    def is_nothing_to_do(self) -> bool:
        return all(stage.reused is not None for stage in self.stages)


class Planner:
    """Plans one pipeline at one snapshot; also asked again as artifacts arrive during the run."""

    def __init__(
        self,
        pipeline: Pipeline,
        inputs: Inputs,
        runtime: str,
        known: Known,
        besides: Mapping[str, Stage] | None = None,
        *,
        check_runtime: str = "",
    ) -> None:
        """`runtime`, `check_runtime`: the digests of what stages and checks run in.

        `besides`: jobs of a verification that run something else than a stage, by their names.
        """
        self.pipeline = pipeline
        self.inputs = inputs
        self.upstream = upstream(pipeline)
        self._order = topological(pipeline, self.upstream)
        self._stages = {stage.name: stage for stage in pipeline.stages}
        self._besides = besides or {}
        self._runtime = runtime
        self._check_runtime = check_runtime
        self._known = known
        self._inputs_of: dict[str, StageInputs] = {}
        self._whole_inputs: dict[tuple[str, ...], StageInputs] = {}

    def plan(self, only: Collection[str] = (), force: Collection[str] = ()) -> Plan:
        """Plan the stages named in `only` and all they depend on; none named: all.

        `force`d stages run whatever is known. Names are stages or groups; an unknown one is a `UserError`
        (`stage-unknown`).
        """
        forced = self._named(force)
        chosen = self._with_upstream(self._named(only)) if only else set(self._order)
        order = [name for name in self._order if name in chosen]
        done: dict[str, StageRecord] = {}
        planned = tuple(self._planned(name, done, name in forced) for name in order)
        return Plan(planned, {name: self.upstream[name] for name in order})

    def inputs_of(self, name: str) -> StageInputs:
        stage = self.stage(name)
        name = stage.name
        if name not in self._inputs_of:
            self._inputs_of[name] = (
                self._whole_inputs_of(name) if stage.needs is None else self.inputs.of_stage(stage)
            )
        return self._inputs_of[name]

    def stage(self, name: str) -> Stage:
        """Return the stage of this name, or the one that a trial of it runs again; of a job besides, what it
        runs."""
        found = self._stages.get(name) or self._besides.get(name)
        return found if found is not None else self._stages[name.rpartition(TRIAL)[0]]

    def origin(self, name: str) -> str:
        """Return the pipeline's stage that a job is of."""
        return name if name in self._stages else name.rpartition(TRIAL)[0]

    def trial_of(self, name: str) -> str | None:
        """Return what a trial tries; None: it is a stage's own job, or one besides."""
        return None if name in self._stages or name in self._besides else name.rpartition(TRIAL)[2]

    def names(self, asked: Collection[str]) -> frozenset[str]:
        """Return the stages meant by names of stages and groups. Raises `UserError` (`stage-unknown`)."""
        return frozenset(self._named(asked))

    def fingerprint_of(self, name: str, records: Mapping[str, StageRecord]) -> str | None:
        """Return the fingerprint of a stage, given its upstream stages' records; None: one is missing."""
        needs = self.needs_of(name, records)
        if needs is None:
            return None
        stage = self.stage(name)
        return fingerprint(
            command=command_of(stage),
            runtime=self._runtime_of(stage),
            params=stage.params,
            needs=needs,
            makes=stage.makes,
        )

    def holds(self, record: StageRecord) -> bool:
        """Return whether what is known under a fingerprint is good: a check may have compared with another
        version than the one that counts at this snapshot."""
        return holds(record, self._known.references.get(record.stage))

    def _runtime_of(self, stage: Stage) -> str:
        return self._runtime if stage.checks is None else self._check_runtime

    def needs_of(self, name: str, records: Mapping[str, StageRecord]) -> tuple[tuple[str, str], ...] | None:
        """Return every need with its identity, artifacts included, sorted."""
        inputs = self.inputs_of(name)
        needs = list(inputs.needs)
        for path, maker in inputs.artifacts:
            record = records.get(maker)
            artifact = next((a for a in record.artifacts if a.path == path), None) if record else None
            if artifact is None:
                return None
            needs.append((path, artifact_identity(artifact.md5)))
        return tuple(sorted(needs))

    def reason_of(self, name: str, records: Mapping[str, StageRecord]) -> str:
        previous = self._known.previous(name)
        stage = self._stages[name]
        needs = self.needs_of(name, records) or ()
        return reason(
            previous,
            failure=self._known.failed(name),
            command=command_of(stage),
            runtime=self._runtime_of(stage),
            params=stage.params,
            needs=needs,
            makes=stage.makes,
            makers=dict(self.inputs_of(name).artifacts),
            has_other_reference=previous is not None and not self.holds(previous),
            changed_inside=self._changed_inside(previous, needs) if previous else {},
            imports=self._imports(previous) if previous else {},
            package_changes=(
                self._known.package_changes(previous.runtime)
                if previous and stage.checks is None and previous.runtime != self._runtime
                else ()
            ),
        )

    def _planned(self, name: str, done: dict[str, StageRecord], is_forced: bool) -> PlannedStage:
        self.inputs_of(name)
        waiting = [other for other in self.upstream[name] if other not in done]
        digest = None if waiting else self.fingerprint_of(name, done)
        if digest is None:
            return PlannedStage(name, f"after {', '.join(waiting[:3])}{' …' if len(waiting) > 3 else ''}")
        if is_forced:
            return PlannedStage(name, "forced", digest)
        record = self._known.find(digest)
        if record is None or not self.holds(record):
            return PlannedStage(name, self.reason_of(name, done), digest)
        done[name] = record
        return PlannedStage(name, f"cached from run {record.run[-8:]}", digest, record)

    def _named(self, names: Collection[str]) -> set[str]:
        chosen: set[str] = set()
        for asked in names:
            found = [s.name for s in self.pipeline.stages if asked in (s.name, s.group)]
            if not found:
                groups = dict.fromkeys(stage.group for stage in self.pipeline.stages)
                raise UserError(
                    f"there is no stage {asked}",
                    f"The stages of {self.pipeline.source}: {', '.join(list(groups)[:20])}.",
                    code="stage-unknown",
                )
            chosen.update(found)
        return chosen

    def _with_upstream(self, names: set[str]) -> set[str]:
        chosen, pending = set(names), list(names)
        while pending:
            for other in self.upstream[pending.pop()]:
                if other not in chosen:
                    chosen.add(other)
                    pending.append(other)
        return chosen

    def _whole_inputs_of(self, name: str) -> StageInputs:
        """Stages that need everything differ in what lies above them alone: a matrix shares one answer."""
        nearest = self.upstream[name]
        if nearest not in self._whole_inputs:
            above = self._with_upstream({name}) - {name}
            self._whole_inputs[nearest] = self.inputs.of(name, [o for o in self._order if o in above])
        return self._whole_inputs[nearest]

    def _imports(self, previous: StageRecord) -> dict[str, str]:
        """Return data of other projects → its versions before and now, and where it comes from."""
        origins = self.inputs.origins
        before = (self._known.files_at(previous.commit) or {}) if origins else {}
        found = {}
        for path, origin in origins.items():
            now, then = self.inputs.sources.get(path), before.get(path)
            if now is not None:
                versions = f"{then.id[:10]} → {now.id[:10]} " if then is not None else ""
                found[path] = f"{versions}({origin})"
        return found

    def _changed_inside(
        self, previous: StageRecord, needs: Sequence[tuple[str, str]]
    ) -> dict[str, Sequence[str]]:
        before = dict(previous.needs)
        folders = [
            need
            for need, identity in needs
            if before.get(need, identity) != identity and need not in self.inputs.sources
        ]
        files = self._known.files_at(previous.commit) if folders else None
        if files is None:
            return {}
        changed: dict[str, Sequence[str]] = {}
        for folder in folders:
            prefix = "" if folder == WHOLE else folder + "/"
            now = {p: e for p, e in self.inputs.sources.items() if p.startswith(prefix)}
            then = {
                path: entry
                for path, entry in files.items()
                if path.startswith(prefix) and path != "lockgate.lock" and self.inputs.maker(path) is None
            }
            changed[folder] = sorted(
                path
                for path in {*now, *then}
                if path not in now
                or path not in then
                or source_identity(now[path]) != source_identity(then[path])
            )
        return changed


def command_of(stage: Stage) -> str:
    """Return what identifies a stage's command in its fingerprint and to a reader."""
    return stage.command if stage.command is not None else f"notebook {stage.notebook}"


def complete(
    pipeline: Pipeline,
    notebook_parameters: Mapping[str, Sequence[str]],
    params_files: Mapping[str, Flat],
    notebook_kernels: Mapping[str, str] | None = None,
) -> Pipeline:
    """Fill in what only the snapshot's files tell.

    A notebook takes the parameters its parameters cell names, makes its executed copy and page, and needs the
    folder of its kernel where that is the project's (`notebook_kernels`: notebook → folder);
    a stage with tracked parameter files takes the values of its keys. `params_files` maps a file to its
    values under dotted keys.
    """
    return replace(
        pipeline,
        stages=tuple(
            _complete(stage, notebook_parameters, params_files, notebook_kernels or {})
            for stage in pipeline.stages
        ),
    )


def _complete(
    stage: Stage,
    notebook_parameters: Mapping[str, Sequence[str]],
    params_files: Mapping[str, Flat],
    notebook_kernels: Mapping[str, str],
) -> Stage:
    if stage.notebook is None and not stage.params_files:
        return stage
    params = dict(stage.params)
    makes, needs = stage.makes, stage.needs
    if stage.notebook is not None:
        kernel = notebook_kernels.get(stage.notebook)
        if needs is not None and kernel is not None and kernel not in needs:
            needs = (*needs, kernel)
        names = notebook_parameters.get(stage.notebook, ())
        params = {name: value for name, value in params.items() if name in names}
        makes = (*makes, *(path for path in implied_makes(stage) if path not in makes))
    for path, keys in stage.params_files.items():
        values = params_files.get(path, {})
        for key in keys:
            inside = {k: v for k, v in values.items() if k == key or k.startswith(key + ".")}
            if not inside:
                raise UserError(
                    f"stage {stage.name} tracks parameter {key}, which {path} does not have",
                    f"Add {posixpath.basename(key)} to {path}, or take it out of the stage's params.",
                    code="parameter-unknown",
                )
            params.update(inside)
    return replace(stage, params=params, makes=makes, needs=needs)
