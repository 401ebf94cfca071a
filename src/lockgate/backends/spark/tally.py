"""How far a Spark application has come, counted from its events as they are written."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from lockgate.project.quantities import counted

# What JsonProtocol.scala writes (org.apache.spark.util); the name comes first in every line.
_KIND = re.compile(rb'\{"Event":"(?:[\w.]+\.)?SparkListener(\w+)"')
_TASK = re.compile(rb'"Stage ID":(\d+).*?"Task End Reason":\{"Reason":"(\w+)"')

#: Why executors go that nobody lost: dynamic allocation, a worker taken out of service.
_MEANT = re.compile(r"(?i)killed by driver|decommission|idle")


class _StageInfo(msgspec.Struct, frozen=True):
    id: int = msgspec.field(name="Stage ID")
    attempt: int = msgspec.field(name="Stage Attempt ID", default=0)
    task_count: int = msgspec.field(name="Number of Tasks", default=0)
    failure: str | None = msgspec.field(name="Failure Reason", default=None)


class _JobStart(msgspec.Struct, frozen=True):
    job: int = msgspec.field(name="Job ID")
    stages: list[_StageInfo] = msgspec.field(name="Stage Infos", default_factory=list)


class _JobEnd(msgspec.Struct, frozen=True):
    job: int = msgspec.field(name="Job ID")


class _StageMoved(msgspec.Struct, frozen=True):
    stage: _StageInfo = msgspec.field(name="Stage Info")


class _Removed(msgspec.Struct, frozen=True):
    executor: str = msgspec.field(name="Executor ID")
    reason: str = msgspec.field(name="Removed Reason", default="")


class _Added(msgspec.Struct, frozen=True):
    executor: str = msgspec.field(name="Executor ID")


class _Application(msgspec.Struct, frozen=True):
    id: str | None = msgspec.field(name="App ID", default=None)


class _Stage:
    """One stage of Spark's; a stage may be tried again for some of its tasks."""

    __slots__ = ("done", "failed", "state", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.state: Literal["open", "done", "skipped"] = "open"


_job_start = msgspec.json.Decoder(_JobStart).decode
_job_end = msgspec.json.Decoder(_JobEnd).decode
_stage_moved = msgspec.json.Decoder(_StageMoved).decode
_removed = msgspec.json.Decoder(_Removed).decode
_added = msgspec.json.Decoder(_Added).decode
_application = msgspec.json.Decoder(_Application).decode


class Tally:
    """What one application's events add up to."""

    def __init__(self) -> None:
        self.application: str | None = None
        self.has_ended = False
        self.has_run_tasks = False
        self.executors: set[str] = set()
        self.lost: list[str] = []
        """Why executors were lost."""
        self._stages: dict[int, _Stage] = {}
        self._jobs: dict[int, list[int]] = {}

    @property
    def waits_for_executors(self) -> bool:
        """Whether there is work, and nobody to do it."""
        return bool(self._jobs) and not self.executors and not self.has_ended

    def add(self, line: bytes) -> None:
        """Take in one event. A line that is none, or of a kind that is not counted, changes nothing."""
        found = _KIND.match(line)
        if found is None:
            return
        kind = found[1]
        if kind == b"TaskEnd":
            self._end_task(line)
        elif kind == b"TaskStart":
            self.has_run_tasks = True
        elif kind in _COUNTED:
            try:
                self._take(kind, line)
            except msgspec.DecodeError:
                return

    def _take(self, kind: bytes, line: bytes) -> None:
        match kind:
            case b"JobStart" | b"JobEnd":
                self._take_job(kind, line)
            case b"StageSubmitted" | b"StageCompleted":
                self._move(kind, _stage_moved(line).stage)
            case b"ExecutorAdded":
                self.executors.add(_added(line).executor)
            case b"ExecutorRemoved":
                gone = _removed(line)
                self.executors.discard(gone.executor)
                if not _MEANT.search(gone.reason):
                    self.lost.append(gone.reason)
            case b"ApplicationStart":
                self.application = _application(line).id
            case _:
                self.has_ended = True

    def _take_job(self, kind: bytes, line: bytes) -> None:
        if kind == b"JobStart":
            start = _job_start(line)
            self._jobs[start.job] = [stage.id for stage in start.stages]
            for stage in start.stages:
                self._stages.setdefault(stage.id, _Stage(stage.task_count))
            return
        for number in self._jobs.pop(_job_end(line).job, ()):
            if self._stages[number].state == "open":
                self._stages[number].state = "skipped"

    def _move(self, kind: bytes, info: _StageInfo) -> None:
        stage = self._stages.setdefault(info.id, _Stage(info.task_count))
        if kind == b"StageSubmitted":
            stage.state = "open"
        elif info.failure is None:
            stage.state, stage.done = "done", stage.total

    def _end_task(self, line: bytes) -> None:
        found = _TASK.search(line, 0, 2000)
        stage = self._stages.get(int(found[1])) if found is not None else None
        if found is None or stage is None:
            return
        self.has_run_tasks = True
        if found[2] == b"Success":
            stage.done = min(stage.total, stage.done + 1)
        elif found[2] != b"TaskKilled":
            stage.failed += 1

    def words(self) -> str | None:
        """Return how far it has come: `stage 3 of 5, 120 of 200 tasks, 2 failed`; None: nothing to say yet.

        Spark makes its stages as it goes, so both totals grow.
        """
        counted_ = [stage for stage in self._stages.values() if stage.state != "skipped"]
        if not counted_:
            return None
        settled = sum(stage.state == "done" for stage in counted_)
        tasks, done = sum(stage.total for stage in counted_), sum(stage.done for stage in counted_)
        if self.waits_for_executors and not self.has_run_tasks:
            return f"waits for executors; {counted(tasks, 'task')} to do"
        words = [
            f"stage {min(settled + 1, len(counted_))} of {len(counted_)}",
            f"{done:,} of {tasks:,} tasks",
        ]
        failed = sum(stage.failed for stage in counted_)
        if failed:
            words.append(f"{failed:,} failed")
        if self.lost:
            words.append(f"{counted(len(self.lost), 'executor')} lost")
        if self.waits_for_executors:
            words.append("waits for executors")
        return ", ".join(words)


_COUNTED = frozenset(
    (b"JobStart", b"StageSubmitted", b"StageCompleted", b"JobEnd", b"ExecutorAdded", b"ExecutorRemoved",
     b"ApplicationStart", b"ApplicationEnd")
)  # fmt: skip
