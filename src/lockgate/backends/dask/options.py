"""The table `[batch.dask]`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

import msgspec

from lockgate.project.quantities import parse_size

KEYS = (
    "scheduler",
    "scheduler_file",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "workers",
    "threads",
    "memory",
    "resources",
    "timeout",
)
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://\S+:\d+|[\w.-]+:\d+")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the cluster is, or how large our own is to be."""

    scheduler: str | None = None
    scheduler_file: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    workers: int | None = None
    threads: int | None = None
    memory: str | int | None = None
    resources: dict[str, str] = {}
    """What of a job (`cpus`, `gpus`, `memory`) is called how among the resources that workers declare."""
    timeout: int = 10
    """How long, in seconds, an answer may take."""

    @property
    def is_own_cluster(self) -> bool:
        return self.scheduler is None and self.scheduler_file is None

    @property
    def memory_bytes(self) -> int | None:
        return parse_size(self.memory) if isinstance(self.memory, str) else self.memory

    def resource(self, what: str) -> str:
        """Return what workers call `cpus`, `gpus` or `memory`; by default as Dask's manual does."""
        return self.resources.get(what, {"cpus": "CPU", "gpus": "GPU", "memory": "MEMORY"}[what])


def parse_options(table: Mapping[str, object]) -> Options | str:
    """Return the options, or in words why they are none."""
    for key in table:
        if key not in KEYS:
            return f"[batch.dask] has an unknown key {key[:60]!r}; known are {', '.join(KEYS)}"
    try:
        options = msgspec.convert(dict(table), Options)
    except msgspec.ValidationError as problem:
        return f"[batch.dask] cannot be meant: {problem}"
    return _fault(options) or options


def _fault(options: Options) -> str | None:
    return _fault_of_place(options) or _fault_of_size(options)


def _fault_of_place(options: Options) -> str | None:
    if options.scheduler is not None and options.scheduler_file is not None:
        return "[batch.dask] has both scheduler and scheduler_file; keep one of them"
    if options.scheduler is not None and not _ADDRESS.fullmatch(options.scheduler):
        return f'[batch.dask]: scheduler is {options.scheduler[:80]!r}; write it as "tcp://HOST:8786"'
    for key in ("scheduler_file", "tls_ca", "tls_cert", "tls_key"):
        path = getattr(options, key)
        if path is not None and not posixpath.isabs(path):
            return f"[batch.dask]: {key} is {path[:80]!r}; write the whole path on the hub's machine"
    alien = ("tls_ca", "tls_cert", "tls_key") if options.is_own_cluster else ("workers", "threads", "memory")
    for key in alien:
        if getattr(options, key) is not None:
            said = "names no scheduler" if options.is_own_cluster else "names a scheduler"
            return f"[batch.dask] {said}, so {key} means nothing there; remove one of them"
    return None


def _fault_of_size(options: Options) -> str | None:
    for key in ("workers", "threads"):
        number = getattr(options, key)
        if number is not None and not 1 <= number <= 1000:
            return f"[batch.dask]: {key} is {number}; write a number from 1 to 1000"
    if options.memory is not None and (options.memory_bytes or 0) < 1:
        return f'[batch.dask]: memory is {options.memory!r}; write it as "4 GB"'
    if not 1 <= options.timeout <= 600:
        return f"[batch.dask]: timeout is {options.timeout}; write seconds from 1 to 600"
    for what in options.resources:
        if what not in ("cpus", "gpus", "memory"):
            return f"[batch.dask]: resources has {what[:60]!r}; known there are cpus, gpus, memory"
    return None
