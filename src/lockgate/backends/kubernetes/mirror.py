"""What one namespace holds of ours, kept as it changes: one list, then one watch, for pods and for Jobs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from lockgate.backends.kubernetes import answers, names
from lockgate.backends.kubernetes.answers import JobItem, Metadata, Pod
from lockgate.backends.kubernetes.cluster import Cluster, Watch, jobs_path, pods_path
from lockgate.backends.kubernetes.reasons import was_cut_short
from lockgate.errors import LockgateError, OutsideError

_AGAIN_S = 0.5
_AGAIN_AT_MOST_S = 15.0
#: So long a first list may take before the caller is told that nobody answers.
_FIRST_S = 30.0

T = TypeVar("T", Pod, JobItem)


class _Kept(Generic[T]):
    """One kind of object, kept by a thread that lists and watches it."""

    def __init__(
        self,
        cluster: Cluster,
        path: str,
        kind: type[T],
        told: Callable[[], None],
        gone: Callable[[T], None],
    ) -> None:
        self.items: dict[str, T] = {}
        """By name; replaced or changed by the thread alone."""
        self.trouble: LockgateError | None = None
        self.is_synced = threading.Event()
        """Set once a first list has come, or has failed."""
        self._cluster = cluster
        self._path = path
        self._kind: type[T] = kind
        self._told = told
        self._gone: Callable[[T], None] = gone
        self._has_list = False
        self._watch: Watch | None = None
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"watch {path}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_closed.set()
        if self._watch is not None:
            self._watch.close()

    def _work(self) -> None:
        version: str | None = None
        again_s = _AGAIN_S
        while not self._is_closed.is_set():
            try:
                if version is None:
                    version = self._list()
                version = self._follow(version)
                again_s = _AGAIN_S
            except LockgateError as error:
                if self._is_closed.is_set():
                    return
                self.trouble = error
                version = None
                self.is_synced.set()
                self._told()
                self._is_closed.wait(again_s)
                again_s = min(_AGAIN_AT_MOST_S, 2 * again_s)
            except Exception as error:  # noqa: BLE001 - the thread's last resort: told by `check`
                if self._is_closed.is_set():
                    return
                fault = f"a fault in the watch of {self._path}: {type(error).__name__}: {error}"
                self.trouble = OutsideError(
                    fault, "Please report it, with what you did.", code="backend-broken"
                )
                version = None
                self.is_synced.set()
                self._told()
                self._is_closed.wait(_AGAIN_AT_MOST_S)

    def _list(self) -> str:
        items, version = self._cluster.list_all(self._path, self._kind, labelSelector=names.SELECTOR)
        now = {each.metadata.name: each for each in items}
        for name, old in list(self.items.items()):
            if name not in now or now[name].metadata.uid != old.metadata.uid:
                self._gone(old)
        self.items = now
        self.trouble = None
        self.is_synced.set()
        self._told()
        return version

    def _follow(self, version: str) -> str | None:
        """Apply changes until the server ends the watch; return from where to go on, or None: list anew."""
        self._watch = self._cluster.watch(self._path, version, names.SELECTOR)
        self.trouble = None
        try:
            for change in self._watch.changes():
                if change.type == "ERROR":
                    # 410 Gone: the server no longer has that version (Kubernetes, API concepts, watches).
                    return None
                if change.type == "BOOKMARK":
                    version = answers.decode(bytes(change.object), _Versioned).metadata.resource_version
                    continue
                item = answers.decode(bytes(change.object), self._kind)
                version = item.metadata.resource_version
                if change.type == "DELETED":
                    self.items.pop(item.metadata.name, None)
                    self._gone(item)
                else:
                    self.items[item.metadata.name] = item
                self._told()
        finally:
            self._watch.close()
        return version


class _Versioned(msgspec.Struct, frozen=True):
    metadata: Metadata


class Mirror:
    """Our pods and Jobs of one namespace. `lost` remembers pods that went before they had ended."""

    def __init__(self, cluster: Cluster, namespace: str, told: Callable[[], None]) -> None:
        self.lost: dict[tuple[str, int | None], Pod] = {}
        """By Job and index: a pod that was deleted before its own end."""
        self.gone_jobs: set[str] = set()
        self._pods = _Kept(cluster, pods_path(namespace), Pod, told, self._pod_gone)
        self._jobs = _Kept(cluster, jobs_path(namespace), JobItem, told, self._job_gone)

    def pods(self) -> dict[tuple[str, int | None], Pod]:
        """Return the pods by Job and index; of several for one, the first: later ones are old clusters'
        replacements, which find the job started and do nothing."""
        found: dict[tuple[str, int | None], Pod] = {}
        for pod in list(self._pods.items.values()):
            name = answers.job_of(pod)
            if name is None:
                continue
            place = (name, answers.index_of(pod))
            other = found.get(place)
            if other is None or _order(pod) < _order(other):
                found[place] = pod
        return found

    def jobs(self) -> dict[str, JobItem]:
        return dict(self._jobs.items)

    def check(self) -> None:
        """Wait for the first list; raise what keeps the watches from being up to date, if anything does."""
        ends_at = time.monotonic() + _FIRST_S
        for kept in (self._jobs, self._pods):
            if not kept.is_synced.wait(max(0.0, ends_at - time.monotonic())):
                raise OutsideError(
                    "Kubernetes takes too long to list the hub's jobs",
                    "Is the API server overloaded, or the network slow? It is tried again.",
                    code="kubernetes-unreachable",
                    is_transient=True,
                )
            if kept.trouble is not None:
                raise kept.trouble

    def close(self) -> None:
        self._pods.close()
        self._jobs.close()

    def _pod_gone(self, pod: Pod) -> None:
        name = answers.job_of(pod)
        if name is not None and was_cut_short(pod):
            self.lost[name, answers.index_of(pod)] = pod

    def _job_gone(self, job: JobItem) -> None:
        self.gone_jobs.add(job.metadata.name)


def _order(pod: Pod) -> tuple[str, bool]:
    """Sort by the second a pod was made in, and within it those that are being deleted first."""
    return pod.metadata.creation_timestamp or "", pod.metadata.deletion_timestamp is None


class Wake:
    """A file descriptor that is readable while something has changed since the last `clear`."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._is_open = True
        self._guard = threading.Lock()

    def fileno(self) -> int:
        return self._reader

    def set(self) -> None:
        with self._guard:
            if self._is_open:
                try:
                    os.write(self._writer, b"!")
                except BlockingIOError:
                    return

    def clear(self) -> None:
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        with self._guard:
            self._is_open = False
            os.close(self._reader)
            os.close(self._writer)
