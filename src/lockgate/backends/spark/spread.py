"""Jobs spread over the executors of one Spark application, as a batch system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lockgate.backends import ledger, local_process
from lockgate.backends.spark.application import Application, start
from lockgate.backends.spark.folder import find_place, lacks
from lockgate.backends.spark.options import read_options
from lockgate.backends.spark.spread_program import CANCEL, LOST
from lockgate.backends.system import Batch, Seen, Submitted
from lockgate.errors import OutsideError, UserError
from lockgate.runs import exitrecord
from lockgate.runs.job import ExitRecord, Job

#: So many jobs one application runs at most.
BATCH_LIMIT = 10_000


class SpreadSystem:
    """Each batch is an application, each job one of its tasks. Hub and workers share files."""

    name = "Spark"
    keeps_walltime = False
    keeps_memory = False
    ends_leftovers = False

    def __init__(self) -> None:
        self._applications: dict[str, Application] = {}

    def refuses(self, job: Job) -> str | None:
        try:
            options = read_options(job.options)
        except UserError as error:
            return f"{error.message} ({error.hint})"
        cores, asked = options.executor_cores, job.resources
        if asked.gpus:
            return "asks for gpus, which stages spread by Spark do not get: remove spread, or gpus"
        if cores is not None and asked.cpus > cores:
            return f"asks for {asked.cpus} cpus; an executor has {cores} (executor_cores in [batch.spark])"
        if options.total_cores is not None and asked.cpus > options.total_cores:
            return (
                f"asks for {asked.cpus} cpus; there are {options.total_cores} (total_cores in [batch.spark])"
            )
        return lacks(options, find_place(options))

    def batch_limit(self) -> int:
        return BATCH_LIMIT

    def submit(self, batch: Batch) -> Sequence[str]:
        options = read_options(batch.jobs[0].options)
        try:
            pid = start(batch, options)
        except OSError as error:
            raise OutsideError(
                f"a Spark application could not be started: {error.strerror or error}",
                "Make room on the hub's host; it is tried again.",
                code="spark-start",
                is_transient=True,
            ) from None
        return _native_ids(pid, batch)

    def find(self, batches: Sequence[Batch]) -> Mapping[str, Sequence[str]]:
        pids = {batch.key: (local_process.read_pid(batch.folder), batch) for batch in batches}
        return {key: _native_ids(pid, batch) for key, (pid, batch) in pids.items() if pid is not None}

    def look(self, jobs: Sequence[Submitted]) -> Mapping[str, Seen]:
        seen: dict[str, Seen] = {}
        for application, members in self._by_application(jobs):
            is_alive = application.is_alive
            waits_for = application.waits_for() if is_alive else ""
            for each in members:
                seen[each.native_id] = _look_at(each.job.folder, application, waits_for, is_alive=is_alive)
        return seen

    def cancel(self, jobs: Sequence[Submitted]) -> None:
        for application, members in self._by_application(jobs):
            for each in members:
                folder = Path(each.job.folder)
                if not local_process.claim(each.job.folder) and folder.is_dir():
                    (folder / CANCEL).touch()
            if not any(_is_open(folder) for folder in ledger.read_members(application.folder)):
                application.end()

    def explain(self, jobs: Sequence[Submitted]) -> Mapping[str, str]:
        return {}

    def bring(self, job: Submitted) -> None:
        return

    def wake_fd(self) -> int | None:
        return None

    def look_interval_s(self) -> float:
        return 0.5

    def close(self) -> None:
        return

    def _by_application(self, jobs: Iterable[Submitted]) -> list[tuple[Application, list[Submitted]]]:
        groups: dict[str, list[Submitted]] = {}
        for each in jobs:
            groups.setdefault(each.key, []).append(each)
        return [(self._application(key, members[0].job), members) for key, members in groups.items()]

    def _application(self, key: str, job: Job) -> Application:
        if key not in self._applications:
            try:
                folder = Path(job.folder, ledger.POINTER).read_text("utf-8", "surrogateescape")
            except OSError:
                folder = f"{Path(job.folder).parent}/{ledger.BATCHES}/{key}"
            self._applications[key] = Application(folder)
        return self._applications[key]


def _native_ids(pid: int, batch: Batch) -> list[str]:
    return [f"{pid}.{number}" for number in range(len(batch.jobs))]


def _look_at(folder: str, application: Application, waits_for: str, *, is_alive: bool) -> Seen:
    begun = local_process.read_pid(folder)
    if begun == 0 and exitrecord.read_raw(folder) is None:
        return Seen("ended", exit=ExitRecord(cause="cancelled", detail="cancelled before it started"))
    if Path(folder, LOST).exists():
        return Seen("ended", exit=ExitRecord(cause="vanished", detail=_lost(application, is_alive=is_alive)))
    if exitrecord.read_raw(folder) is not None:
        return Seen("ended", exit=ExitRecord())
    if is_alive:
        return Seen("pending", reason=waits_for) if begun is None else Seen("running")
    why = application.why_ended()
    words = "before it started" if begun is None else "while it ran"
    detail = f"its Spark application ended {words}: {why}"
    return Seen("ended", exit=ExitRecord(cause="vanished", detail=detail))


def _lost(application: Application, *, is_alive: bool) -> str:
    if is_alive:
        return "the Spark executor it ran on was lost"
    return f"its Spark application ended while it ran: {application.why_ended()}"


def _is_open(folder: str) -> bool:
    """Whether a job has neither ended nor been kept from starting."""
    return local_process.read_pid(folder) != 0 and exitrecord.read_raw(folder) is None
