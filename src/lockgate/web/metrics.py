"""The numbers of a service and its hub, for Prometheus."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from lockgate.errors import LockgateError
from lockgate.hub.directory import Hub
from lockgate.hub.operation.figures import Figures, figures, stored_bytes

#: What a hub's index says is asked for so often at most, however many scrape.
FRESH_S = 5.0
#: The store is walked through so often at most, in a thread of its own.
STORE_FRESH_S = 900.0
#: So many backends have labels of their own; a name is the members' choice, a label's number ours.
BACKENDS_AT_MOST = 20
OTHER = "other"

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)

log = logging.getLogger(__name__)


class Metrics:
    """The metrics of one service. `docs/reference/metrics.md` describes each."""

    def __init__(self, hub: Hub) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        labels = ("method", "route", "status")
        self.requests = Histogram(
            "lockgate_request_duration_seconds", "Requests answered, and how long that took.",
            labels, buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.pushes = Counter(
            "lockgate_pushes", "Pushes over HTTP, by the status they were answered with.",
            ("status",), registry=self.registry,
        )  # fmt: skip
        self.watchers = Gauge(
            "lockgate_event_streams", "Open streams of server-sent events.", registry=self.registry
        )
        self.under_way = Gauge(
            "lockgate_requests_under_way", "Requests not answered yet, streams of events too.",
            registry=self.registry,
        )  # fmt: skip
        self.registry.register(_HubCollector(hub))
        ProcessCollector(namespace="lockgate_web", registry=self.registry)

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics in the form that is asked for, and its content type."""
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind


class _HubCollector(Collector):
    """Asks the hub when it is scraped."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._found: tuple[float, Figures | None] = (-FRESH_S, None)
        self._store: tuple[float, int | None] = (-STORE_FRESH_S, None)

    def describe(self) -> Iterable[Metric]:
        return ()  # asking a hub to be described would read its index at the start

    def collect(self) -> Iterator[Metric]:
        found = self._figures()
        up = GaugeMetricFamily("lockgate_index_up", "Whether the hub's index could be read.")
        up.add_metric((), float(found is not None))
        yield up
        if found is not None:
            yield from _families(found)
        if (size := self._stored()) is not None:
            yield _gauge(
                "lockgate_store_bytes", "Size of the store; looked at every quarter of an hour.", size
            )

    def _figures(self) -> Figures | None:
        with self._lock:
            at, found = self._found
            if time.monotonic() - at < FRESH_S:
                return found
            try:
                found = figures(self._hub)
            except (LockgateError, OSError) as error:
                log.warning("the hub cannot be counted: %s", error, extra={"action": "metrics.failed"})
                found = None
            self._found = (time.monotonic(), found)
            return found

    def _stored(self) -> int | None:
        at, size = self._store
        if time.monotonic() - at >= STORE_FRESH_S:
            self._store = (time.monotonic(), size)
            threading.Thread(target=self._measure, name="store size", daemon=True).start()
        return size

    def _measure(self) -> None:
        try:
            self._store = (time.monotonic(), stored_bytes(self._hub.store))
        except OSError as error:
            log.warning("the store cannot be measured: %s", error, extra={"action": "metrics.failed"})


def _families(found: Figures) -> Iterator[Metric]:
    runs = GaugeMetricFamily("lockgate_runs", "Runs the index knows, by state.", labels=("state",))
    for state, count in sorted(found.runs.items()):
        runs.add_metric((state,), count)
    yield runs
    jobs = GaugeMetricFamily(
        "lockgate_jobs", "Jobs of runs that have not ended.", labels=("backend", "state")
    )
    for (backend, state), count in sorted(bounded(found.jobs).items()):
        jobs.add_metric((backend, state), count)
    yield jobs
    yield _gauge("lockgate_queue_length", "Runs that wait for the dispatcher.", found.queued)
    yield _gauge(
        "lockgate_queue_oldest_seconds", "How long the first of the queue has waited.", found.oldest_queued_s
    )
    yield _gauge("lockgate_dispatcher_up", "Whether the dispatcher is at work.", float(found.is_dispatched))
    yield _gauge("lockgate_disk_free_bytes", "Room left on the hub's disk.", found.free_bytes)


def bounded(counted: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return the counts with all backends beyond the first so many, by name, under `other`."""
    named = set(sorted({backend for backend, _ in counted})[:BACKENDS_AT_MOST])
    found: dict[tuple[str, str], int] = {}
    for (backend, state), count in counted.items():
        key = (backend if backend in named else OTHER, state)
        found[key] = found.get(key, 0) + count
    return found


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=value)
