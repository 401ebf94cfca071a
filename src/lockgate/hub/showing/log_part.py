"""A part of what one stage printed, cut at lines: a log of any size is read a page at a time."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.git.contents import read_many
from lockgate.git.program import attempt
from lockgate.hub.directory import Hub
from lockgate.hub.failure_folder import FAILURES
from lockgate.hub.jobname import safe_name
from lockgate.hub.showing.logs import logs_of, read_part

PART_BYTES = 128_000


class LogPart(msgspec.Struct, frozen=True):
    """`content` is the bytes from `start` up to `end` of `total`; `is_whole`: the hub has them all."""

    content: bytes
    start: int
    end: int
    total: int
    is_whole: bool = True


def read_log_part(
    hub: Hub, project: str, run: str, stage: str, at: int | None = None, result_commit: str | None = None
) -> LogPart:
    """Return what a stage printed from byte `at` on, its end for None; nothing where it printed nothing.

    Where the run's folder is gone, what its result commit keeps of a failed run's log stands for it.
    """
    logs = logs_of(hub.run_folder(project, run) / "jobs", stage)
    if logs:
        return _of_files(logs, at)
    kept = _kept(hub.repository(project), result_commit, stage) if result_commit else b""
    return LogPart(kept, 0, len(kept), len(kept), is_whole=False)


def _of_files(logs: list[Path], at: int | None) -> LogPart:
    _, total = read_part(logs, 0, 0)
    start = max(0, total - PART_BYTES) if at is None else max(0, min(at, total))
    content, total = read_part(logs, start, PART_BYTES)
    if at is None and start > 0:
        cut = content.find(b"\n") + 1
        content, start = content[cut:], start + cut
    if start + len(content) < total:
        content = content[: content.rfind(b"\n") + 1] or content
    return LogPart(content, start, start + len(content), total)


def _kept(repository: Path, commit: str, stage: str) -> bytes:
    code, output, _ = attempt(repository, "ls-tree", "--name-only", "-z", commit, f"{FAILURES}/")
    name = safe_name(0, stage).partition("-")[2]
    for path in output.decode("utf-8", "replace").split("\0") if code == 0 else ():
        if path.rpartition("/")[2].partition("-")[2] == f"{name}.txt":
            found = next(read_many(repository, [f"{commit}:{path}"]), None)
            return found.content if found is not None else b""
    return b""
