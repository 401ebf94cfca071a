"""Does a backend work? A tiny job goes through it, and each step is told, with what mends it."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lockgate.backends.contract import Backend, Ended, Started
from lockgate.backends.registry import load_backend
from lockgate.errors import LockgateError, OutsideError
from lockgate.hub.batch_settings import default_manifest
from lockgate.hub.directory import Hub
from lockgate.hub.operation.examination import Finding
from lockgate.project.described import is_described
from lockgate.project.pipeline import Resources
from lockgate.project.quantities import duration_words
from lockgate.runs.job import ExitRecord, Job
from lockgate.runs.jobscript import base_environment, job_script
from lockgate.runs.runid import new_run_id
from lockgate.runs.verdict import how_it_ended, last_line, tail
from lockgate.runs.workspace import Input, lay_out

_RESOURCES = Resources(cpus=1, memory_bytes=100_000_000, walltime_s=120)
_TOLD_AFTER_S = 3.0
_CANCELLED_WITHIN_S = 30.0
_SAID, _MADE = "lockgate-check on ", "out"


def check_backend(hub: Hub, project: str, name: str, timeout_s: float = 120.0) -> Iterator[Finding]:
    """Yield what is found on the way of one tiny job, step by step; after a problem nothing follows.

    The job takes one cpu for a moment. It is cancelled when it has not ended within `timeout_s` seconds.
    Raises `UserError` where the project's `lockgate.toml` is wrong.
    """
    manifest = default_manifest(hub.repository(project))
    table = manifest.batch.options.get(name, {}) if manifest else {}
    try:
        backend = _open(name, table)
    except LockgateError as error:
        yield Finding("backend", "problem", error.message, error.hint)
        return
    yield Finding("backend", "ok", "described in lockgate.toml" if is_described(table) else "installed")
    place = hub.root / "checks" / f"{name}-{new_run_id()[-8:]}"
    job = _lay_out(hub, place / "check", table)
    is_well = False
    try:
        refusal = backend.refuses(job)
        if refusal is not None:
            yield Finding("settings", "problem", refusal, f"See [batch.{name}] in lockgate.toml.")
            return
        yield Finding("settings", "ok", ", ".join(sorted(table)) or "none")
        for finding in _Passage(backend, job, name, timeout_s).findings():
            yield finding
            is_well = (finding.what == "results" and finding.state == "ok") or is_well
        if is_well:
            yield _runtimes(hub, job)
    finally:
        backend.close()
        if is_well:
            shutil.rmtree(place, ignore_errors=True)


def _open(name: str, table: dict[str, object]) -> Backend:
    if is_described(table):
        from lockgate.backends.described.system import backend  # noqa: PLC0415  (few hubs have one)

        return backend(name, table)
    return load_backend(name)


def _lay_out(hub: Hub, folder: Path, table: dict[str, object]) -> Job:
    command = (
        f'echo "{_SAID}$(uname -n)"; cat in > {_MADE}; '
        f"if [ -d {shlex.quote(str(hub.runtimes))} ]; then echo sees runtimes; fi"
    )
    environment, inside = base_environment(
        run="check", stage="check", cpus=_RESOURCES.cpus, source_date_epoch=0
    )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        script = job_script(command, environment, title="A check of a backend.", from_folder=inside)
        lay_out(folder, script, [Input("in", content=lambda: b"lockgate\n")], [_MADE])
    except OSError as error:
        raise OutsideError(
            f"{folder} cannot be written: {error.strerror}",
            "Look at the disk and at who owns the hub: lockgate hub doctor",
            code="hub-unwritable",
        ) from None
    return Job("check", "check", os.fspath(folder), _RESOURCES, table)


class _Passage:
    """One job's way through a backend."""

    def __init__(self, backend: Backend, job: Job, name: str, timeout_s: float) -> None:
        self._backend, self._job, self._name = backend, job, name
        self._began = time.monotonic()
        self._ends_at = self._began + timeout_s
        self._why = ""
        self._trouble: LockgateError | None = None

    def findings(self) -> Iterator[Finding]:
        self._backend.submit([self._job])
        exit_record = None
        while exit_record is None:
            for one in self._news():
                if isinstance(one, Started):
                    yield Finding("start", "ok", f"as {one.native_id}, after {self._age()}")
                else:
                    exit_record = one.exit
            if exit_record is not None:
                break
            why = self._backend.why_pending([self._job.folder]).get(self._job.folder, "")
            if why != self._why and time.monotonic() - self._began > _TOLD_AFTER_S:
                self._why = why
                if why:
                    yield Finding("queue", "note", why)
            if time.monotonic() > self._ends_at:
                yield self._given_up()
                self._cancel()
                return
            self._rest()
        yield from self._end(exit_record)

    def _news(self) -> list[Started | Ended]:
        try:
            return list(self._backend.poll())
        except OutsideError as error:
            self._trouble = error
            return []

    def _rest(self) -> None:
        interval_s = self._backend.poll_interval_s()
        select.select(self._backend.wake_fds(), [], [], 0.5 if interval_s is None else min(interval_s, 0.5))

    def _age(self) -> str:
        return duration_words(time.monotonic() - self._began)

    def _given_up(self) -> Finding:
        if self._trouble is not None:
            return Finding("start", "problem", self._trouble.message, self._trouble.hint)
        words = self._why or "it is not known why"
        return Finding(
            "end",
            "problem",
            f"not there after {self._age()}: {words}",
            "Is the system busy? Wait longer: --timeout 10min",
        )

    def _cancel(self) -> None:
        """Take the job back, and see that it goes."""
        self._backend.cancel([self._job.folder])
        until = time.monotonic() + _CANCELLED_WITHIN_S
        while time.monotonic() < until and not any(isinstance(one, Ended) for one in self._news()):
            self._rest()

    def _end(self, exit_record: ExitRecord) -> Iterator[Finding]:
        folder = Path(self._job.folder)
        said = tail(folder / "output.log")
        if not exit_record.is_success:
            how = exit_record.detail or how_it_ended(exit_record)
            last = last_line(said)
            yield Finding(
                "end", "problem", f"{how}{f': {last}' if last else ''}", f"What the job left is in {folder}"
            )
            return
        yield Finding("end", "ok", f"after {self._age()}")
        if _SAID not in said:
            yield Finding("log", "problem", "what the job printed did not come back", f"Look into {folder}")
            return
        yield Finding("log", "ok", f"from {said.partition(_SAID)[2].splitlines()[0]}")
        try:
            made = (folder / "workspace" / _MADE).read_bytes()
        except OSError as error:
            yield Finding(
                "results",
                "problem",
                f"what the job made did not come back: {error.strerror}",
                f"Look into {folder}",
            )
            return
        is_right = made == b"lockgate\n"
        yield Finding(
            "results", "ok" if is_right else "problem", "came back" if is_right else "came back changed"
        )


def _runtimes(hub: Hub, job: Job) -> Finding:
    if "sees runtimes" in tail(Path(job.folder, "output.log")):
        return Finding("runtime", "ok", f"{hub.runtimes} is there on the node")
    return Finding(
        "runtime",
        "note",
        f"{hub.runtimes} is not there on the node",
        "Share that folder with the nodes, or have the backend carry runtimes: see its how-to page.",
    )
