"""Dask: every job is a task whose key is the job's native id, held by a dataset of that name.

A dataset keeps its task wanted when the client that submitted it is gone (distributed's manual, Publish
Datasets), so that a later process finds it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.dask import answers, own_cluster
from lockgate.backends.dask.connection import Client, Connection, shipped
from lockgate.backends.dask.options import Options, parse_options
from lockgate.backends.ledger import WRAPPER
from lockgate.backends.system import Batch, Seen, Submitted
from lockgate.backends.traces import has_traces
from lockgate.errors import OutsideError, UserError
from lockgate.runs.job import ExitRecord, Job

_LIMIT = 1000
_INTERVAL_S = 0.1


class DaskSystem:
    """Implements `BatchSystem` on one cluster or several, each named by a job's options."""

    name = "Dask"
    keeps_walltime = False
    keeps_memory = False
    ends_leftovers = False

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._cancelled: set[str] = set()
        """Native ids of those that were taken back before they began."""
        self._ran_on: dict[str, str] = {}
        """By native id, the address of the worker that was seen running it."""
        self._over: dict[str, set[str]] = {}
        """By cluster, the native ids of those that ended: their datasets can go."""

    def refuses(self, job: Job) -> str | None:
        options = parse_options(job.options)
        return options if isinstance(options, str) else None

    def batch_limit(self) -> int:
        return _LIMIT

    def submit(self, batch: Batch) -> Sequence[str]:
        first = batch.jobs[0]
        options = _options(first)
        wrapper = f"{batch.folder}/{WRAPPER}"
        native_ids = [f"{batch.key}-{number}" for number in range(len(batch.jobs))]
        folders = [job.folder for job in batch.jobs]

        declared = self._report(options, []).declared

        async def hand_over(client: Client) -> None:
            futures = client.map(
                shipped("run_job"),
                native_ids,
                folders,
                [wrapper] * len(folders),
                key=native_ids,
                pure=False,
                retries=0,
                resources=resources_of(first, options, declared) or None,
                batch_size=len(native_ids),
            )
            await client.publish_dataset(**dict(zip(native_ids, futures, strict=True)))

        self._call(options, hand_over)
        return native_ids

    def find(self, batches: Sequence[Batch]) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for options, some in _by_cluster((_options(batch.jobs[0]), batch) for batch in batches):
            names = set(self._call(options, lambda client: client.list_datasets()))
            for batch in some:
                native_ids = [f"{batch.key}-{number}" for number in range(len(batch.jobs))]
                if names.issuperset(native_ids):
                    found[batch.key] = native_ids
        return found

    def look(self, jobs: Sequence[Submitted]) -> Mapping[str, Seen]:
        said: dict[str, Seen] = {}
        for options, some in _by_cluster((_options(each.job), each) for each in jobs):
            self._let_go(options)
            asked = [each for each in some if each.native_id not in self._cancelled]
            said.update((each.native_id, _TAKEN_BACK) for each in some if each.native_id in self._cancelled)
            report = self._report(options, [each.native_id for each in asked])
            for each in asked:
                seen = self._seen(report, each)
                if seen is not None:
                    said[each.native_id] = seen
        return said

    def _seen(self, report: answers.Report, each: Submitted) -> Seen | None:
        seen = answers.seen(report, each.native_id)
        task = report.tasks.get(each.native_id)
        if task is None or seen is None or seen.state == "ended":
            self._ran_on.pop(each.native_id, None)
        elif answers.has_lost_worker(task, self._ran_on.get(each.native_id)) and has_traces(each.job.folder):
            return answers.LOST
        elif task.is_executing:
            self._ran_on[each.native_id] = task.address
        return seen

    def cancel(self, jobs: Sequence[Submitted]) -> None:
        for options, native_ids in _by_cluster((_options(each.job), each.native_id) for each in jobs):
            self._cancel(options, native_ids)

    def _cancel(self, options: Options, native_ids: list[str]) -> None:
        """Tell every worker first: what runs is ended there, and what has not begun never will. Then take
        back what nobody runs."""

        async def end(client: Client) -> list[str]:
            said = await client.run(shipped("end_jobs"), native_ids, on_error="ignore")
            running = {native_id for some in said.values() for native_id in some}
            waiting = [native_id for native_id in native_ids if native_id not in running]
            report = await client.run_on_scheduler(shipped("tell"), waiting)
            begun = [native_id for native_id, task in report["tasks"].items() if task["state"] in _OVER]
            taken_back = [native_id for native_id in waiting if native_id not in begun]
            if taken_back:
                await client.unpublish_dataset(taken_back)
            return taken_back

        self._cancelled.update(self._call(options, end))

    def explain(self, jobs: Sequence[Submitted]) -> Mapping[str, str]:
        return {}

    def bring(self, job: Submitted) -> None:
        """Workers share the hub's files; the task's dataset is let go by the next look."""
        self._cancelled.discard(job.native_id)
        self._ran_on.pop(job.native_id, None)
        self._over.setdefault(_name(_options(job.job)), set()).add(job.native_id)

    def wake_fd(self) -> int | None:
        return None

    def look_interval_s(self) -> float:
        return _INTERVAL_S

    def close(self) -> None:
        with contextlib.suppress(OutsideError):
            for name in list(self._over):
                self._let_go(msgspec.json.decode(name, type=Options))
        for connection in self._connections.values():
            connection.close()

    def _report(self, options: Options, native_ids: list[str]) -> answers.Report:
        said = self._call(options, lambda client: client.run_on_scheduler(shipped("tell"), native_ids))
        try:
            return answers.parse_report(said)
        except msgspec.ValidationError as problem:
            raise OutsideError(
                f"the Dask scheduler's answer is not understood: {problem}",
                "Install a distributed of the same version beside the hub's Lockgate.",
                code="backend-answer",
            ) from None

    def _let_go(self, options: Options) -> None:
        over = self._over.pop(_name(options), None)
        if over:
            self._call(options, lambda client: client.unpublish_dataset(sorted(over)))

    def _call(self, options: Options, make: Any) -> Any:
        name = _name(options)
        if name not in self._connections:
            address = options.scheduler or options.scheduler_file or own_cluster.scheduler_file()
            self._connections[name] = Connection(options, address)
        if options.is_own_cluster:
            own_cluster.start(options)
        return self._connections[name].call(make)


_OVER = ("memory", "erred")
_TAKEN_BACK = Seen("ended", exit=ExitRecord(cause="cancelled", detail="cancelled before it started"))


def resources_of(job: Job, options: Options, declared: Sequence[str]) -> dict[str, float]:
    """Return what of its worker's resources a job takes: of cpus and memory what any worker declares, and
    gpus always, as a worker without them is no good."""
    asked = job.resources
    wanted: dict[str, float] = {}
    if options.resource("cpus") in declared:
        wanted[options.resource("cpus")] = asked.cpus
    if asked.memory_bytes is not None and options.resource("memory") in declared:
        wanted[options.resource("memory")] = asked.memory_bytes
    if asked.gpus:
        wanted[options.resource("gpus")] = asked.gpus
    return wanted


def _options(job: Job) -> Options:
    options = parse_options(job.options)
    if isinstance(options, str):
        raise UserError(options, "Correct [batch.dask] in lockgate.toml.", code="backend-refused")
    return options


def _name(options: Options) -> str:
    return msgspec.json.encode(options).decode()


def _by_cluster(pairs: Any) -> list[tuple[Options, list[Any]]]:
    clusters: dict[str, tuple[Options, list[Any]]] = {}
    for options, each in pairs:
        clusters.setdefault(_name(options), (options, []))[1].append(each)
    return list(clusters.values())


def backend() -> Backend:
    """Return the backend `dask`."""
    return BatchBackend(DaskSystem())
