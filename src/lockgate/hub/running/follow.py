"""Following runs as they go: what happened since, until each has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from lockgate.errors import OutsideError
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.queue import ensure_dispatcher, last_words
from lockgate.project.quantities import duration_words
from lockgate.runs.run import (
    Event,
    JobCollected,
    JobEnded,
    JobFailed,
    JobRefused,
    JobStarted,
    Planned,
    PrepareStarted,
    Resolved,
)
from lockgate.runs.runid import short

_NAP_S, _LONGEST_NAP_S = 0.004, 0.05
#: A run that stands still this long gets its dispatcher looked after.
_STILL_S = 2.0
#: Running stages' progress is asked for so often at most.
_PROGRESS_S = 0.5
#: So often a dispatcher is started anew without any news before it is said to be failing.
_STARTS_AT_MOST = 3
#: Above so many stages a member wants counts, not names.
_NAMED_AT_MOST = 60

Kind = Literal["preparing", "planned", "cached", "running", "progress", "done", "failed", "ended"]


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened to a run; `stage` None: to the run itself."""

    kind: Kind
    run: str
    stage: str | None = None
    words: str = ""
    """The reason, how far it has come, the cause, or how it ended."""
    settled: int = 0
    total: int = 0
    state: str = ""
    """For `ended`: how."""
    result_commit: str | None = None
    has_moved_branch: bool = False
    seconds: float | None = None


class Followed:
    """One run as far as it has been told: events in, what a member is told of them out."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.sequence = -1
        self.total = 0
        self.settled = 0
        self.seconds: dict[str, float] = {}
        self.come: dict[str, str] = {}
        self.asked_at = 0.0

    def tell(self, event: Event) -> Iterator[Progress]:
        match event:
            case PrepareStarted():
                yield Progress("preparing", self.run)
            case Planned(upstream, decisions):
                self.total = len(upstream)
                yield Progress("planned", self.run, total=self.total)
                for decision in decisions:
                    if decision.reused_from:
                        yield self._settle(
                            "cached", decision.stage, f"from run {short(decision.reused_from)}"
                        )
            case Resolved(decision) if decision.reused_from:
                yield self._settle("cached", decision.stage, f"from run {short(decision.reused_from)}")
            case JobEnded(stage, exit_record):
                if exit_record.started_at is not None and exit_record.ended_at is not None:
                    self.seconds[stage] = max(0.0, exit_record.ended_at - exit_record.started_at)
            case JobStarted(stage, _):
                yield Progress("running", self.run, stage, "", self.settled, self.total)
            case JobCollected(stage):
                seconds = self.seconds.get(stage, 0.0)
                yield self._settle("done", stage, duration_words(seconds), seconds)
            case JobFailed(stage, cause) | JobRefused(stage, cause):
                yield self._settle("failed", stage, cause)
            case _:
                return

    def tell_progress(self, index: Index) -> Iterator[Progress]:
        """Tell how far running stages have come, where that is known and has changed."""
        now = time.monotonic()
        if now - self.asked_at < _PROGRESS_S:
            return
        self.asked_at = now
        for stage, words in index.progress(self.run).items():
            if self.come.get(stage) != words:
                self.come[stage] = words
                yield Progress("progress", self.run, stage, words, self.settled, self.total)

    def end(self, row: RunRow) -> Progress:
        """Return the last that is told of a run that has ended."""
        return Progress(
            "ended",
            self.run,
            None,
            row.cause or "",
            self.settled,
            self.total,
            row.state,
            row.result_commit,
            row.has_moved_branch,
            max(0.0, (row.ended_at or 0.0) - row.created_at),
        )

    def _settle(self, kind: Kind, stage: str, words: str, seconds: float | None = None) -> Progress:
        self.settled += 1
        return Progress(kind, self.run, stage, words, self.settled, self.total, seconds=seconds)


def follow(hub: Hub, index: Index, runs: Sequence[str]) -> Iterator[Progress]:
    """Yield what happens to these runs, from their beginning, until all have ended."""
    open_runs = {run: Followed(run) for run in runs}
    nap, seen, moved_at, starts = _NAP_S, -1, time.monotonic(), 0
    while open_runs:
        now_seen = index.changes_seen()
        if now_seen == seen:
            time.sleep(nap)
            nap = min(nap * 1.04, _LONGEST_NAP_S)
            if time.monotonic() - moved_at > _STILL_S:
                starts += ensure_dispatcher(hub)
                _check_starts(hub, starts)
                moved_at = time.monotonic()
            continue
        seen, nap, moved_at, starts = now_seen, _NAP_S, time.monotonic(), 0
        for run in list(open_runs):
            followed = open_runs[run]
            row = index.run(run)
            for sequence, _, event in index.events(run, followed.sequence):
                followed.sequence = sequence
                yield from followed.tell(event)
            yield from followed.tell_progress(index)
            if row is None or row.ended_at is not None:
                del open_runs[run]
                if row is not None:
                    yield followed.end(row)


def _check_starts(hub: Hub, starts: int) -> None:
    """A dispatcher that dies each time it is started will not do the work however long one waits."""
    if starts > _STARTS_AT_MOST:
        raise OutsideError(
            f"the hub's dispatcher ends as soon as it is started: {last_words(hub)}",
            f"The run stays queued. On the hub's host: lockgate hub doctor --hub {hub.root}",
            code="dispatcher-failing",
        )


def lines_of(progress: Progress, *, is_json: bool) -> Iterator[str]:
    """Yield the lines a member reads, or the one `lockgate run` reads."""
    if is_json:
        yield "lockgate-json: " + msgspec.json.encode(progress).decode()
        return
    run, stage = short(progress.run), progress.stage
    many = progress.total > _NAMED_AT_MOST
    match progress.kind:
        case "preparing":
            yield f"run {run}  preparing"
        case "planned" | "cached" | "running" | "progress" | "done" if many:
            step = max(1, progress.total // 20)
            if (
                progress.kind not in ("running", "progress")
                and progress.settled
                and progress.settled % step == 0
            ):
                yield f"run {run}  {progress.settled} of {progress.total} stages settled"
        case "cached":
            yield f"{stage}  cached {progress.words}"
        case "running":
            yield f"{stage}  running"
        case "progress":
            yield f"{stage}  {progress.words}"
        case "done":
            yield f"{stage}  done in {progress.words}"
        case "failed":
            yield f"{stage}  FAILED: {progress.words}"
        case "ended":
            yield ending(progress)


def ending(progress: Progress) -> str:
    """Return the line that closes a run's progress."""
    words = f"run {short(progress.run)} {progress.state.upper()} in {duration_words(progress.seconds or 0)}"
    if progress.state != "succeeded":
        return f"{words}: {progress.words}" if progress.words else words
    if progress.result_commit is None:
        return words
    where = "results are on the branch: git pull" if progress.has_moved_branch else "results"
    return f"{words}; {where} ({progress.result_commit[:10]})"
