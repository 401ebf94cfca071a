"""Kubernetes as a batch system: Jobs created, watched and deleted; never one call a job to look at them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.kubernetes import names
from lockgate.backends.kubernetes.answers import EventItem, JobItem, Pod, holds_index, true_condition
from lockgate.backends.kubernetes.carrier import Carrier
from lockgate.backends.kubernetes.cluster import Cluster, events_path, jobs_path, pods_path
from lockgate.backends.kubernetes.manifest import (
    Carried,
    manifests,
    memory_limit,
    native_ids,
    runtime_folder,
    shared_problem,
)
from lockgate.backends.kubernetes.mirror import Mirror, Wake
from lockgate.backends.kubernetes.names import NativeId, parse_native_id
from lockgate.backends.kubernetes.options import Options, options_of
from lockgate.backends.kubernetes.reasons import deleted_words, job_seen, pod_seen
from lockgate.backends.system import Batch, Seen, Submitted
from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.runs.job import ExitRecord, Job
from lockgate.runs.jobscript import ALREADY_STARTED

_LIMIT = 500
_POSTS_AT_ONCE = 8
_KEYS_A_SELECTOR = 50

Place = tuple[str | None, str | None, str]
"""Kubeconfig, context, namespace."""


class KubernetesSystem:
    """Clusters as the hub's kubeconfig, or the options of the jobs, name them."""

    name = "Kubernetes"
    keeps_walltime = False
    keeps_memory = True
    ends_leftovers = True

    def __init__(self) -> None:
        self._clusters: dict[tuple[str | None, str | None], Cluster] = {}
        self._mirrors: dict[Place, Mirror] = {}
        self._carriers: dict[str, Carrier] = {}
        self._problems: dict[str, str] = {}
        """By native id: what events say of a job that cannot start."""
        self._cancelled: set[str] = set()
        self._wake: Wake | None = None

    def refuses(self, job: Job) -> str | None:
        options = options_of(job)
        if isinstance(options, str):
            return options
        try:
            job.folder.encode()
        except UnicodeEncodeError:
            return f"the path {job.folder!r} is no Unicode, and cannot be told to Kubernetes"
        return shared_problem(options, job.folder) if job.folder != "/nowhere" else None

    def batch_limit(self) -> int:
        return _LIMIT

    def submit(self, batch: Batch) -> Sequence[str]:
        options = _options(batch.jobs[0])
        cluster, namespace = self._cluster(options), self._namespace(options)
        server = cluster.version()
        made = manifests(
            batch,
            options,
            server=server,
            owner=(os.getuid(), os.getgid()),
            venv=_runtime_of(batch.jobs[0]),
            carried=self._carried(batch, options),
        )
        try:
            if len(made) == 1:
                cluster.create_job(namespace, made[0])
            else:
                with ThreadPoolExecutor(_POSTS_AT_ONCE) as pool:
                    list(pool.map(partial(cluster.create_job, namespace), made))
        except UserError:
            cluster.delete(jobs_path(namespace), selector=f"{names.KEY}={batch.key}")
            raise
        return native_ids(batch, namespace, server)

    def find(self, batches: Sequence[Batch]) -> Mapping[str, Sequence[str]]:
        """A batch of which only a part is there was being submitted when the hub died: the rest follows."""
        found: dict[str, Sequence[str]] = {}
        by_place: dict[Place, list[Batch]] = {}
        for batch in batches:
            by_place.setdefault(self._place(_options(batch.jobs[0])), []).append(batch)
        for (kubeconfig, context, namespace), there in by_place.items():
            cluster = self._connected(kubeconfig, context)
            for start in range(0, len(there), _KEYS_A_SELECTOR):
                some = there[start : start + _KEYS_A_SELECTOR]
                selector = f"{names.KEY} in ({','.join(batch.key for batch in some)})"
                items, _ = cluster.list_all(jobs_path(namespace), JobItem, labelSelector=selector)
                known = {(item.metadata.labels or {}).get(names.KEY) for item in items}
                for batch in some:
                    if batch.key in known:
                        found[batch.key] = self.submit(batch)
        return found

    def look(self, jobs: Sequence[Submitted]) -> Mapping[str, Seen]:
        """No call at all once the watches run."""
        if self._wake is not None:
            self._wake.clear()
        said = {}
        for place, there in self._by_place(jobs).items():
            mirror = self._mirror(place)
            mirror.check()
            pods, known = mirror.pods(), mirror.jobs()
            for job, native in there:
                seen = self._seen(job, native, pods.get((native.name, native.index)), known, mirror)
                if seen is not None:
                    said[job.native_id] = seen
        return said

    def cancel(self, jobs: Sequence[Submitted]) -> None:
        for (kubeconfig, context, namespace), there in self._by_place(jobs).items():
            cluster = self._connected(kubeconfig, context)
            mirror = self._mirror((kubeconfig, context, namespace))
            mirror.check()
            self._cancelled.update(job.native_id for job, _ in there)
            doomed = {native.name for _, native in there if native.index is None}
            indexes: dict[str, set[int]] = {}
            for _, native in there:
                if native.index is not None:
                    indexes.setdefault(native.name, set()).add(native.index)
            pods, known = mirror.pods(), mirror.jobs()
            alive = {place for place, pod in pods.items() if pod.status.phase in ("Pending", "Running")}
            for name, wanted in indexes.items():
                if all(index in wanted for job, index in alive if job == name and index is not None):
                    doomed.add(name)
                else:
                    _end_members(cluster, namespace, name, wanted, pods)
            _delete_jobs(cluster, namespace, doomed, known)

    def explain(self, jobs: Sequence[Submitted]) -> Mapping[str, str]:
        """What the cluster's events warn of, where the jobs and their pods tell nothing."""
        told = {}
        for place, there in self._by_place(jobs).items():
            mirror, cluster = self._mirror(place), self._connected(place[0], place[1])
            pods, warned = mirror.pods(), {}
            for kind in ("Job", "Pod"):
                selector = f"type=Warning,involvedObject.kind={kind}"
                events, _ = cluster.list_all(events_path(place[2]), EventItem, fieldSelector=selector)
                for event in events:
                    warned[kind, event.involved_object.name] = (event.reason, event.message or "")
            for job, native in there:
                pod = pods.get((native.name, native.index))
                reason, message = warned.get(
                    ("Job", native.name) if pod is None else ("Pod", pod.metadata.name), (None, "")
                )
                words = _EVENT_WORDS.get(reason or "")
                if words is not None:
                    told[job.native_id] = f"{words}: {' '.join(message.split())[:300]}"
        self._problems.update(told)
        return told

    def bring(self, job: Submitted) -> None:
        """Nothing to do: files are shared, or a pod has put them back before it ended."""

    def wake_fd(self) -> int | None:
        return None if self._wake is None else self._wake.fileno()

    def look_interval_s(self) -> float:
        return 1.0

    def close(self) -> None:
        for mirror in self._mirrors.values():
            mirror.close()
        for carrier in self._carriers.values():
            carrier.close()
        for cluster in self._clusters.values():
            cluster.close()
        if self._wake is not None:
            self._wake.close()
            self._wake = None

    def _seen(
        self,
        job: Submitted,
        native: NativeId,
        pod: Pod | None,
        known: Mapping[str, JobItem],
        mirror: Mirror,
    ) -> Seen | None:
        item = known.get(native.name)
        lost = mirror.lost.get((native.name, native.index))
        is_gone = item is None and (lost is not None or native.name in mirror.gone_jobs)
        if job.native_id in self._cancelled and pod is None and (item is None or lost is not None):
            return Seen("ended", job.key, exit=ExitRecord(cause="cancelled", detail="cancelled"))
        if lost is not None and lost.status.phase != "Pending":
            if item is not None and native.index is None:
                # An old cluster makes another pod, which must not run beside the job's next attempt.
                cluster = self._cluster(_options(job.job))
                cluster.delete(jobs_path(native.namespace, native.name))
            return Seen("ended", job.key, exit=_deleted(native, lost))
        if pod is not None:
            asked = job.job.resources
            limit = memory_limit(asked, is_carried=_options(job.job).serve is not None)
            seen = pod_seen(pod, limit, asked.memory_bytes)
            if lost is not None and seen.exit is not None and seen.exit.code == ALREADY_STARTED:
                # The pod before it had begun, though the kubelet had not said so yet.
                return Seen("ended", job.key, exit=_deleted(native, lost))
            return seen
        if item is None:
            return Seen("ended", job.key, exit=_deleted(native, None)) if is_gone else None
        if lost is not None and _has_failed(item, native.index):
            return Seen("ended", job.key, exit=_deleted(native, lost))
        return job_seen(item, self._problems.get(job.native_id))

    def _by_place(self, jobs: Sequence[Submitted]) -> dict[Place, list[tuple[Submitted, NativeId]]]:
        by_place: dict[Place, list[tuple[Submitted, NativeId]]] = {}
        for job in jobs:
            native = parse_native_id(job.native_id)
            if native is None:
                continue
            options = _options(job.job)
            if options.serve is not None:
                self._carrier(options)
            place = (options.kubeconfig, options.context, native.namespace)
            by_place.setdefault(place, []).append((job, native))
        return by_place

    def _place(self, options: Options) -> Place:
        return options.kubeconfig, options.context, self._namespace(options)

    def _namespace(self, options: Options) -> str:
        return options.namespace or self._cluster(options).default_namespace

    def _cluster(self, options: Options) -> Cluster:
        return self._connected(options.kubeconfig, options.context)

    def _connected(self, kubeconfig: str | None, context: str | None) -> Cluster:
        place = (kubeconfig, context)
        if place not in self._clusters:
            self._clusters[place] = Cluster(kubeconfig, context)
        return self._clusters[place]

    def _mirror(self, place: Place) -> Mirror:
        if place not in self._mirrors:
            if self._wake is None:
                self._wake = Wake()
            self._mirrors[place] = Mirror(self._connected(place[0], place[1]), place[2], self._wake.set)
        return self._mirrors[place]

    def _carrier(self, options: Options) -> Carrier:
        address = options.serve or ""
        if address not in self._carriers:
            self._carriers[address] = Carrier(address)
        self._carriers[address].serve()
        return self._carriers[address]

    def _carried(self, batch: Batch, options: Options) -> Carried | None:
        if options.serve is None:
            return None
        return self._carrier(options).carried(batch, options.reach)


#: Reasons of events (kubernetes, pkg/controller/job and pkg/kubelet/events/event.go).
_EVENT_WORDS = {
    "FailedCreate": "no pod can be made for it",
    "FailedMount": "a volume or secret of its pod cannot be mounted",
    "FailedAttachVolume": "a volume of its pod cannot be attached",
    "FailedCreatePodSandBox": "its pod gets no network or cgroup on the node",
}


def backend() -> Backend:
    """Return the backend `kubernetes`: the cluster of the hub's kubeconfig, unless options name another."""
    return BatchBackend(KubernetesSystem())


def _options(job: Job) -> Options:
    options = options_of(job)
    if isinstance(options, str):
        raise UserError(options, "Correct it in lockgate.toml.", code="kubernetes-refused")
    return options


def _runtime_of(job: Job) -> str | None:
    try:
        return runtime_folder(Path(job.folder, "job.sh").read_text("utf-8", "surrogateescape"))
    except OSError as error:
        raise _unwritable(f"{job.folder}/job.sh", error, "read") from None


def _unwritable(path: str, error: OSError, what: str) -> LockgateError:
    return OutsideError(
        f"{path} could not be {what}: {error.strerror}",
        "Make room on that disk, or give it back; the jobs are submitted then.",
        code="job-folder",
        is_transient=True,
    )


def _deleted(native: NativeId, pod: Pod | None) -> ExitRecord:
    if pod is None:
        return ExitRecord(cause="vanished", detail=f"somebody deleted the Job {native.name}")
    disrupted = true_condition(pod.status.conditions, "DisruptionTarget")
    if disrupted is not None:
        words = f"the cluster ended its pod on {pod.spec.node_name} ({disrupted.reason}): {disrupted.message}"
    else:
        words = deleted_words(pod)
    return ExitRecord(cause="vanished", detail=words)


def _has_failed(item: JobItem, index: int | None) -> bool:
    """Whether no other pod is made for a job: its Job has failed, or its index of an Indexed Job."""
    if true_condition(item.status.conditions, "Failed") is not None:
        return True
    return index is not None and holds_index(item.status.failed_indexes, index)


def _end_members(
    cluster: Cluster,
    namespace: str,
    name: str,
    indexes: set[int],
    pods: Mapping[tuple[str, int | None], Pod],
) -> None:
    """End some members of an Indexed Job by deleting their pods: the others go on."""
    late = False
    for index in sorted(indexes):
        pod = pods.get((name, index))
        late = late or pod is None
        if pod is not None and pod.metadata.deletion_timestamp is None:
            cluster.delete(pods_path(namespace, pod.metadata.name))
    if late:
        raise OutsideError(
            f"some members of the Job {name} have no pods yet, and cannot be ended alone",
            "They are ended once they have; nothing is to be done.",
            code="kubernetes-unreachable",
            is_transient=True,
        )


def _delete_jobs(cluster: Cluster, namespace: str, doomed: set[str], known: Mapping[str, JobItem]) -> None:
    """Delete Jobs: those of whole batches in one call, others one by one."""
    by_key: dict[str, set[str]] = {}
    for name, item in known.items():
        key = (item.metadata.labels or {}).get(names.KEY)
        if key is not None:
            by_key.setdefault(key, set()).add(name)
    whole = [key for key, its in by_key.items() if len(its) > 1 and its <= doomed]
    for start in range(0, len(whole), _KEYS_A_SELECTOR):
        some = whole[start : start + _KEYS_A_SELECTOR]
        cluster.delete(jobs_path(namespace), selector=f"{names.KEY} in ({','.join(some)})")
        doomed = doomed.difference(*(by_key[key] for key in some))
    for name in sorted(doomed):
        cluster.delete(jobs_path(namespace, name))
