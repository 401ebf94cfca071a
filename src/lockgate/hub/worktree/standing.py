"""`lockgate status`: what a run of the work tree would do, and why. Reads only; waits for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from lockgate.errors import LockgateError, UserError
from lockgate.git.listing import Listing
from lockgate.git.worktree import remotes
from lockgate.hub.indexing.index import Index
from lockgate.hub.reaching.address import REMOTE, Address, LocalHub, of_url
from lockgate.hub.worktree.known_failures import known_failures
from lockgate.project.pipeline import Pipeline, Scalar, Stage
from lockgate.project.runtime import find_runtime
from lockgate.project.snapshot import CommitSource, WorktreeSource
from lockgate.runs.checked import is_check
from lockgate.runs.load import Loaded, files_seen, load
from lockgate.runs.observation import Use, left_over, need_takes
from lockgate.runs.plan import Known, PlannedStage, Planner
from lockgate.runs.reason import Failure
from lockgate.runs.record import StageRecord


class Undeclared(msgspec.Struct, frozen=True):
    """Something a stage was seen to use without declaring it."""

    stage: str
    group: str
    """The stage's name as it is written in the file."""
    use: Use


class Standing(msgspec.Struct, frozen=True):
    """How a work tree stands to what has been run."""

    project: str
    stages: tuple[PlannedStage, ...]
    notes: tuple[str, ...] = ()
    """What a person should know besides, as an artifact edited by hand."""
    undeclared: tuple[Undeclared, ...] = ()
    """What stages were seen to use, and neither declare nor may use."""
    notebooks: dict[str, str] = {}
    """The notebook of each stage that is one."""
    branch: str | None = None
    """The branch checked out; None: HEAD is detached."""
    params: dict[str, Scalar] = {}
    """The parameters that decide a stage's outputs, with their values; a matrix's are left out."""

    @property
    def is_nothing_to_do(self) -> bool:
        return all(stage.reused is not None for stage in self.stages)


def standing(root: Path, params: Mapping[str, str]) -> Standing:
    """Plan the work tree as it is against its lock file and, where the hub is here, the hub's index."""
    source = WorktreeSource(root)
    loaded = load(source, params, root.name)
    found = _hub(root)
    local = found if isinstance(found, LocalHub) else None
    finder = _Finder(root, loaded.lock, local)
    runtime, differences = _runtime(loaded, source, local)
    known = Known(finder.find, finder.previous, _files_at(root), lambda earlier: differences, finder.failed)
    planner = Planner(
        loaded.pipeline, loaded.inputs, runtime, known, check_runtime=_check_runtime(loaded, local)
    )
    planned = planner.plan().stages
    undeclared = tuple(_undeclared(loaded.pipeline, planned, finder)) if loaded.pipeline.is_observed else ()
    stages = loaded.pipeline.stages
    notebooks = {stage.name: stage.notebook for stage in stages if stage.notebook is not None}
    values: dict[str, Scalar] = {
        name: value
        for stage in stages
        for name, value in stage.params.items()
        if not _is_of_matrix(stage, name)
    }
    notes = (*_notes(loaded), *_notebook_notes(root, loaded.pipeline))
    return Standing(loaded.pipeline.project, planned, notes, undeclared, notebooks, source.branch, values)


def _is_of_matrix(stage: Stage, name: str) -> bool:
    """A member of a matrix bears its values behind its name; those of a `dvc.yaml` without their keys."""
    values = stage.name.removeprefix(stage.group)
    return bool(values) and ("=" not in values or f"@{name}=" in values or f",{name}=" in values)


def _undeclared(pipeline: Pipeline, planned: Sequence[PlannedStage], finder: _Finder) -> Iterator[Undeclared]:
    """Yield what each stage's record tells, less what is declared or allowed since."""
    declared = {stage.name: stage for stage in pipeline.stages}
    for each in planned:
        record = each.reused or finder.previous(each.name)
        stage = declared[each.name]
        for use in left_over(record.undeclared if record is not None else (), pipeline.undeclared):
            if not any(need_takes(need, use.what) for need in stage.needs or ()):
                yield Undeclared(stage.name, stage.group, use)


def _hub(root: Path) -> Address | None:
    try:
        return of_url(remotes(root).get(REMOTE, ""), root)
    except LockgateError:
        return None


Found = TypeVar("Found")


class _Finder:
    """Looks records up in the lock file first, in the hub's index only for what is not there."""

    def __init__(self, root: Path, lock: Mapping[str, StageRecord], hub: LocalHub | None) -> None:
        self._root = root
        self._lock = lock
        self._by_fingerprint = {record.fingerprint: record for record in lock.values()}
        self._hub = hub
        self._index: Index | None = None
        self._failures: dict[str, Failure] | None = None

    def find(self, fingerprint: str) -> StageRecord | None:
        record = self._by_fingerprint.get(fingerprint)
        return record if record is not None else self._ask(lambda i, p: i.find_result(p, fingerprint))

    def previous(self, stage: str) -> StageRecord | None:
        record = self._lock.get(stage)
        return record if record is not None else self._ask(lambda i, p: i.newest_result(p, stage))

    def failed(self, stage: str) -> Failure | None:
        """A hub far away is not asked: what was heard of it last counts."""
        if self._failures is None:
            told = self._ask(lambda i, p: i.latest_failures(p))
            self._failures = known_failures(self._root) if told is None else told
        return self._failures.get(stage)

    def _ask(self, question: Callable[[Index, str], Found | None]) -> Found | None:
        if self._hub is None:
            return None
        if self._index is None:
            self._index = Index(self._hub.hub.index, is_read_only=True)
        return question(self._index, self._hub.project)


def _files_at(root: Path) -> Callable[[str], Listing | None]:
    def files_at(commit: str) -> Listing | None:
        try:
            return files_seen(CommitSource(root, commit))
        except LockgateError:
            return None

    return files_at


def _runtime(loaded: Loaded, source: WorktreeSource, hub: LocalHub | None) -> tuple[str, tuple[str, ...]]:
    """Return the runtime's digest, and what is known to differ in it where it is not locked yet.

    Exact where the hub is here. A hub far away is not asked, because a status must not wait: there the digest
    on record stands as long as the runtime's files are those of the snapshot it was recorded at.
    """
    pipeline = loaded.pipeline
    runtime = find_runtime(loaded.files, pipeline.runtime)
    if hub is not None:
        from lockgate.hub.software.runtimes import Runtimes  # noqa: PLC0415  (only beside a hub)

        try:
            locked = Runtimes(hub.hub.runtimes, may_lock=False).locked(
                loaded.files,
                pipeline.runtime,
                lambda path: source.read([path]).get(path),
                any(stage.notebook is not None for stage in pipeline.stages),
            )
        except UserError as error:
            if error.code != "runtime-unlocked":
                raise
        else:
            return locked.digest, ()
    else:
        recorded = {
            record.runtime: record.commit for record in loaded.lock.values() if not is_check(record.stage)
        }
        if len(recorded) == 1:
            digest, commit = next(iter(recorded.items()))
            before = _files_at(source.root)(commit)
            path = runtime.path
            if before is None or path is None or before.get(path) == loaded.files.get(path):
                return digest, ()
    return f"not locked yet: {runtime.path}", (f"{runtime.path or 'its packages'}, to be locked anew",)


def _check_runtime(loaded: Loaded, hub: LocalHub | None) -> str:
    """Return the digest of what checks run in; that on record where the hub is far away."""
    if not loaded.pipeline.checks:
        return ""
    if hub is None:
        return next((record.runtime for record in loaded.lock.values() if is_check(record.stage)), "")
    from lockgate.hub.planning.checking import check_runtime  # noqa: PLC0415  (only where tables are checked)
    from lockgate.hub.software.runtimes import Runtimes  # noqa: PLC0415

    return check_runtime(Runtimes(hub.hub.runtimes, may_lock=False)).digest


def _notebook_notes(root: Path, pipeline: Pipeline) -> tuple[str, ...]:
    if pipeline.outputs == "keep":
        return ()
    from lockgate.hub.notebooks.committed import before_sending, unsent_outputs  # noqa: PLC0415  (few ask)

    note = before_sending(root, unsent_outputs(root, pipeline.outputs))
    return (note,) if note else ()


def _notes(loaded: Loaded) -> list[str]:
    """Name artifacts in the work tree that are not what their stage made."""
    edited = []
    for record in loaded.lock.values():
        for artifact in record.artifacts:
            entry = loaded.files.get(artifact.path)
            if entry is not None and artifact.git is not None and entry.id != artifact.git:
                edited.append(f"{artifact.path} was changed by hand; a run of {record.stage} puts it back")
    return edited
