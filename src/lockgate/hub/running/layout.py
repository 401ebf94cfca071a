"""Laying out a job's folder: its script, its workspace with the stage's needs and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from lockgate.data.store import Store
from lockgate.git.listing import EXECUTABLE, FILE, FOLDER, LINK, STORED_EXECUTABLE, Entry
from lockgate.git.objects import Repository
from lockgate.hub.directory import Hub
from lockgate.hub.isolation import job_isolation
from lockgate.hub.jobname import safe_name
from lockgate.hub.planning.checking import SPARK_RUNTIME, check_command, check_inputs, is_by_spark
from lockgate.hub.planning.preparation import Prepared
from lockgate.hub.software.runtimes import Runtimes
from lockgate.project.pipeline import Stage
from lockgate.runs import notebook_runner
from lockgate.runs.job import Job
from lockgate.runs.jobscript import OBSERVER, base_environment, job_script
from lockgate.runs.notebook import RUNNER_FILE, notebook_command
from lockgate.runs.pointed import stored_digest
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.workspace import Input, Inventory, lay_out
from lockgate.verify import hold_program
from lockgate.verify.hold import HOLD_FOLDER, alone, hold


class Layout:
    """Lays out the jobs of one prepared run below one folder."""

    def __init__(
        self,
        hub: Hub,
        prepared: Prepared,
        folder: Path,
        repository: Repository,
        store: Store,
        runtimes: Runtimes,
        committed_at: int,
    ) -> None:
        self._prepared = prepared
        self._folder = folder
        self._repository = repository
        self._store = store
        self._runtimes = runtimes
        self._committed_at = committed_at
        self._isolation = cache(partial(job_isolation, hub))
        self._inside_hub = cache(partial(runtimes.inside, hub.root))
        self._numbers = {stage.name: n for n, stage in enumerate(prepared.loaded.pipeline.stages)}
        earlier = prepared.replayed
        self._played = {stage: record.run for stage, record in earlier.records.items()} if earlier else {}
        """Stage → the run that its job takes itself to be part of."""

    def folder_of(self, stage: str, attempt: int) -> Path:
        number = self._numbers[self._prepared.planner.origin(stage)]
        return self._folder / safe_name(number, stage, attempt)

    def job_of(self, name: str, attempt: int) -> Job:
        """Return the job of a stage, or of a trial of it."""
        stage = self._prepared.planner.stage(name)
        backend = self._prepared.backend_of(name)
        return Job(
            run=self._prepared.request.id,
            stage=name,
            folder=str(self.folder_of(name, attempt)),
            resources=stage.resources,
            options=self._prepared.batch.options.get(backend, {}),
            runtime=self._prepared.runtime_of(stage).digest,
        )

    def lay_out(self, name: str, attempt: int, records: Mapping[str, StageRecord]) -> Inventory:
        """Write the job's folder and return what was placed; a job started already is left as it is.

        Raises what `job_isolation` and `runs.workspace.lay_out` raise.
        """
        stage = self._prepared.planner.stage(name)
        folder = self.folder_of(name, attempt)
        inventory = lay_out(
            folder,
            self._script(stage, self._prepared.planner.trial_of(name)),
            self._inputs(name, records),
            stage.makes,
        )
        if self._prepared.planner.trial_of(name) is not None:
            (folder / HOLD_FOLDER).mkdir(exist_ok=True)
            program = Path(hold_program.__file__).read_bytes()
            (folder / HOLD_FOLDER / "sitecustomize.py").write_bytes(program)
        if stage.notebook is not None:
            (folder / RUNNER_FILE).write_bytes(Path(notebook_runner.__file__).read_bytes())
        if self._prepared.loaded.pipeline.is_observed:
            _place_observer(folder)
        return inventory

    def _script(self, stage: Stage, trial: str | None) -> str:
        digest = self._prepared.runtime_of(stage).digest
        request = self._prepared.request
        command = stage.command
        inside = self._inside_hub(digest)
        by_spark = is_by_spark(stage, self._prepared.backend_of(stage.name))
        if stage.checks is not None:
            command = check_command(stage.checks, by_spark=by_spark)
        if command is None:
            command = notebook_command(stage.notebook or "", stage.makes, stage.params)
        environment, from_folder = base_environment(
            run=self._played.get(stage.name, request.id),
            stage=stage.name,
            cpus=stage.resources.cpus,
            source_date_epoch=self._committed_at,
            runtime_bin=self._runtimes.bin_path(digest),
            cache=self._runtimes.cache_path(digest),
        )
        if by_spark:
            # Spark itself is of the site, or of the project's runtime
            own = self._prepared.runtime.digest
            environment[SPARK_RUNTIME] = str(self._runtimes.bin_path(own).parent)
            inside = [*inside, *self._inside_hub(own)]
        if stage.spark is not None or by_spark:
            # What spark-submit falls back to where no file says otherwise (SparkSubmitArguments.scala).
            environment["MASTER"] = f"local[{max(1, stage.resources.cpus)}]"
        if trial is not None:
            held = hold(trial, self._recorded_at(stage.name))
            environment |= held.environment
            from_folder |= {"PYTHONPATH": HOLD_FOLDER}
            if held.is_alone:
                command = alone(command, (*environment, *from_folder))
        title = f"Stage {stage.name} of run {request.id}, project {request.project}."
        return job_script(
            command,
            environment,
            title=title,
            from_folder=from_folder,
            isolation=self._isolation(is_here=self._prepared.backend_of(stage.name) == "local"),
            inside_hub=inside,
            is_observed=self._prepared.loaded.pipeline.is_observed,
        )

    def _recorded_at(self, stage: str) -> float:
        """When the recorded run began this stage; seconds since the epoch."""
        earlier = self._prepared.replayed
        record = earlier.records.get(stage) if earlier else None
        if earlier is None or record is None:
            return float(self._committed_at)
        return datetime.fromisoformat(record.ended_at).timestamp() - (record.duration_s or 0.0)

    def _inputs(self, name: str, records: Mapping[str, StageRecord]) -> Iterator[Input]:
        inputs = self._prepared.planner.inputs_of(name)
        predictor, earlier = self._prepared.predictors.get(name), self._prepared.replayed
        if predictor is not None and earlier is not None:
            # Both models see the same sample: nothing but the model is of now
            origin = self._prepared.planner.origin(name)
            now = {origin: records[origin]} if predictor.of == "again" else {}
            records = {**earlier.records, **now}
        for path, entry in inputs.files:
            md5 = stored_digest(entry)
            if md5 is None:
                yield self._of_blob(path, entry)
            else:
                yield from self._of_data(path, md5, EXECUTABLE if entry.mode == STORED_EXECUTABLE else FILE)
        for path, maker in inputs.artifacts:
            artifact = next(a for a in records[maker].artifacts if a.path == path)
            yield from self._of_artifact(artifact)
        stage = self._prepared.planner.stage(name)
        if stage.checks is not None:
            yield from check_inputs(stage, self._repository, self._prepared.references.get(stage.name))

    def _of_blob(self, path: str, entry: Entry) -> Input:
        if entry.mode == LINK:
            target = self._repository.read_blob(entry.id).decode("utf-8", "surrogateescape")
            return Input(path, link=target)
        return Input(
            path,
            content=lambda: self._repository.read_blob(entry.id),
            is_executable=entry.mode == EXECUTABLE,
        )

    def _of_data(self, path: str, md5: str, mode: int = FILE) -> Iterator[Input]:
        if not md5.endswith(".dir"):
            yield self._of_store(path, md5, mode)
            return
        yield Input(path, is_folder=True)
        for listed in self._store.listing(md5):
            yield self._of_store(f"{path}/{listed.relpath}", listed.md5, FILE)

    def _of_artifact(self, artifact: Artifact) -> Iterator[Input]:
        is_folder = artifact.mode == FOLDER
        if artifact.git is not None and not is_folder:
            yield self._of_blob(artifact.path, Entry(artifact.mode, artifact.git))
        elif artifact.git is not None:
            yield Input(artifact.path, is_folder=True)
            for path, entry in self._repository.list_tree(artifact.git, artifact.path + "/"):
                yield self._of_blob(path, entry)
        elif is_folder:
            yield from self._of_data(artifact.path, artifact.md5)
        else:
            yield self._of_store(artifact.path, artifact.md5, artifact.mode)

    def _of_store(self, path: str, md5: str, mode: int) -> Input:
        self._store.require(md5)
        return Input(path, source=self._store.path(md5), is_executable=mode == EXECUTABLE)


def _place_observer(folder: Path) -> None:
    # By their places: who imports them observes
    programs = Path(notebook_runner.__file__).parent
    (folder / OBSERVER).write_bytes((programs / "observer.py").read_bytes())
    read = (folder / OBSERVER).parent / "python"
    read.mkdir(exist_ok=True)
    (read / "sitecustomize.py").write_bytes((programs / "variable_reader.py").read_bytes())
