"""The output of a run's jobs, from the files they write, also while they write them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run
from lockgate.hub.jobname import safe_name
from lockgate.hub.queue import ensure_dispatcher

_NAP_S = 0.1
_PIECE_BYTES = 1 << 16


class Piece(msgspec.Struct, frozen=True):
    """Some bytes of one stage's output, in order."""

    stage: str
    content: bytes
    run_state: str
    progress: str = ""
    """How far the stage has come, where that is news; then there is no content."""


def read_logs(hub: Hub, project: str, run: str, stage: str | None, *, is_follow: bool) -> Iterator[Piece]:
    """Yield what the jobs printed, stage by stage; with `is_follow` until the run has ended, and how far they
    have come where that is known.

    A last piece without content tells the run's state. Raises `UserError`: `run-unknown`, `stage-unknown`.
    """
    index = Index(hub.index, is_read_only=True)
    row = find_run(index, project, run)
    folder = hub.run_folder(project, row.request.id) / "jobs"
    offsets: dict[Path, int] = {}
    come: dict[str, str] = {}
    if is_follow and row.ended_at is None:
        ensure_dispatcher(hub)
    while True:
        row = index.run(row.request.id) or row
        is_over = row.ended_at is not None
        jobs = index.jobs(row.request.id)
        if stage is not None and jobs and all(job.stage != stage for job in jobs):
            names = ", ".join(job.stage for job in jobs[:20])
            raise UserError(f"run {run} has no stage {stage}", f"Its stages: {names}", code="stage-unknown")
        for job in jobs:
            if stage is None or job.stage == stage:
                for log in logs_of(folder, job.stage):
                    yield from _new(log, job.stage, offsets, row.state)
        for job in jobs:
            if (
                is_follow
                and job.progress
                and stage in (None, job.stage)
                and come.get(job.stage) != job.progress
            ):
                come[job.stage] = job.progress
                yield Piece(job.stage, b"", row.state, job.progress)
        if is_over or not is_follow:
            yield Piece(stage or "", b"", row.state)
            return
        time.sleep(_NAP_S)


def logs_of(folder: Path, stage: str) -> list[Path]:
    """Find the logs of a stage's attempts, the first first; the number before its name is its place in the
    pipeline, of which the run may be a part."""
    name = safe_name(0, stage).partition("-")[2]
    found = sorted(
        path for path in folder.glob("[0-9]*-*") if path.name.partition("-")[2].partition("~")[0] == name
    )
    return [path / "output.log" for path in found]


def read_part(logs: Sequence[Path], offset: int, limit: int) -> tuple[bytes, int]:
    """Return at most so many bytes of these files, taken as one, from an offset on; and the size of all."""
    content, at, size = b"", offset, 0
    for log in logs:
        try:
            with log.open("rb") as file:
                length = file.seek(0, 2)
                if at < length and len(content) < limit:
                    file.seek(at)
                    content += file.read(min(limit - len(content), length - at))
        except FileNotFoundError:
            continue
        at = max(0, at - length)
        size += length
    return content, size


def _new(log: Path, stage: str, offsets: dict[Path, int], state: str) -> Iterator[Piece]:
    try:
        with log.open("rb") as file:
            file.seek(offsets.get(log, 0))
            while content := file.read(_PIECE_BYTES):
                offsets[log] = offsets.get(log, 0) + len(content)
                yield Piece(stage, content, state)
    except FileNotFoundError:
        return
