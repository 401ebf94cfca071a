"""A small batch system in this process: real jobs as processes, and every fault at will."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from lockgate.backends.ledger import WRAPPER
from lockgate.backends.system import Batch, Seen, Submitted
from lockgate.errors import OutsideError, UserError
from lockgate.runs.job import ExitRecord, Job


class Entry:
    def __init__(self, key: str, folder: str, wrapper: str, cpus: int) -> None:
        self.key, self.folder, self.wrapper, self.cpus = key, folder, wrapper, cpus
        self.process: subprocess.Popen[bytes] | None = None
        self.code: int | None = None
        self.is_removed = False


class Spooler:
    """First come, first served within so many cpus; what is done to it is done under one lock."""

    def __init__(self, cpus: int) -> None:
        self.cpus = cpus
        self.entries: dict[str, Entry] = {}
        self.is_down = False
        self.is_cut_off_after_submission = False
        """The next submission is accepted, and its answer lost."""
        self.strange: set[str] = set()
        """Native ids of which it says a word that nobody knows."""
        self.ghosts: set[str] = set()
        """Native ids of jobs that it takes for running, whatever became of them."""
        self.calls: list[str] = []
        self._next = 1
        self._lock = threading.Lock()

    def call(self, name: str) -> None:
        self.calls.append(name)
        if self.is_down:
            raise OutsideError(
                "the spooler does not answer", "Start it.", code="spooler-down", is_transient=True
            )

    def submit(self, key: str, folders: Sequence[str], wrapper: str, cpus: int) -> list[str]:
        with self._lock:
            native_ids = []
            for folder in folders:
                native_ids.append(str(self._next))
                self.entries[str(self._next)] = Entry(key, folder, wrapper, cpus)
                self._next += 1
        self.pump()
        return native_ids

    def pump(self) -> None:
        with self._lock:
            free = self.cpus
            for entry in self.entries.values():
                if entry.process is not None and entry.code is None:
                    entry.code = entry.process.poll()
                    free -= entry.cpus if entry.code is None else 0
            for entry in self.entries.values():
                if entry.process is None and not entry.is_removed:
                    if entry.cpus > free:
                        break
                    free -= entry.cpus
                    entry.process = subprocess.Popen(
                        ["sh", entry.wrapper, entry.folder],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        start_new_session=True,
                        env={"PATH": os.defpath},
                    )

    def remove(self, native_id: str) -> None:
        entry = self.entries.get(native_id)
        if entry is None or entry.code is not None:
            return
        entry.is_removed = True
        if entry.process is not None and entry.process.poll() is None:
            entry.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        for entry in self.entries.values():
            if entry.process is not None and entry.process.poll() is None:
                entry.process.kill()
                entry.process.wait()


class SpoolerSystem:
    """The spooler as a `BatchSystem`."""

    name = "the spooler"
    keeps_walltime = False
    keeps_memory = False
    ends_leftovers = False

    def __init__(self, spooler: Spooler) -> None:
        self.spooler = spooler
        self.is_closed = False

    def refuses(self, job: Job) -> str | None:
        asked = job.resources.cpus
        return f"asks for {asked} cpus" if asked > self.spooler.cpus else None

    def batch_limit(self) -> int:
        return 1_000

    def submit(self, batch: Batch) -> Sequence[str]:
        self.spooler.call("submit")
        if "word" in batch.jobs[0].options:
            raise UserError("the spooler knows no word", "Leave it out.", code="spooler-refused")
        folders = [job.folder for job in batch.jobs]
        wrapper = f"{batch.folder}/{WRAPPER}"
        native_ids = self.spooler.submit(batch.key, folders, wrapper, batch.jobs[0].resources.cpus)
        if self.spooler.is_cut_off_after_submission:
            self.spooler.is_cut_off_after_submission = False
            raise OutsideError("timed out", "Wait.", code="spooler-down", is_transient=True)
        return native_ids

    def find(self, batches: Sequence[Batch]) -> Mapping[str, Sequence[str]]:
        self.spooler.call("find")
        keys = {batch.key for batch in batches}
        found: dict[str, list[str]] = {}
        for native_id, entry in self.spooler.entries.items():
            if entry.key in keys:
                found.setdefault(entry.key, []).append(native_id)
        return found

    def look(self, jobs: Sequence[Submitted]) -> Mapping[str, Seen]:
        self.spooler.call("look")
        self.spooler.pump()
        seen = {}
        for job in jobs:
            entry = self.spooler.entries.get(job.native_id)
            if entry is not None:
                seen[job.native_id] = self._seen(job.native_id, entry)
        return seen

    def _seen(self, native_id: str, entry: Entry) -> Seen:
        if native_id in self.spooler.strange:
            return Seen("unknown", entry.key, "the spooler says it is 'bewildered'")
        if entry.process is None:
            if entry.is_removed:
                return Seen("ended", entry.key, exit=ExitRecord(cause="cancelled", detail="removed"))
            return Seen("pending", entry.key, "waits for others")
        if entry.code is None or native_id in self.spooler.ghosts:
            return Seen("running", entry.key)
        if entry.is_removed:
            return Seen("ended", entry.key, exit=ExitRecord(cause="cancelled", detail="removed by somebody"))
        return Seen("ended", entry.key, exit=ExitRecord(code=entry.code))

    def cancel(self, jobs: Sequence[Submitted]) -> None:
        self.spooler.call("cancel")
        for job in jobs:
            self.spooler.remove(job.native_id)

    def explain(self, jobs: Sequence[Submitted]) -> Mapping[str, str]:
        self.spooler.call("explain")
        return {}

    def bring(self, job: Submitted) -> None:
        pass

    def wake_fd(self) -> int | None:
        return None

    def look_interval_s(self) -> float:
        return 0.05

    def close(self) -> None:
        self.is_closed = True
