"""Why a stage must run, in words a person would use."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from lockgate.project.pipeline import Scalar
from lockgate.runs.record import StageRecord

#: Endings of files that are code; a change of any other file is a change of data.
CODE_SUFFIXES = frozenset(
    {".py", ".ipynb", ".r", ".rmd", ".qmd", ".jl", ".sh", ".sql", ".scala", ".java", ".c", ".cc", ".cpp"}
    | {".h", ".hpp", ".rs", ".go", ".js", ".ts", ".pl", ".lua", ".m", ".do"}
)

NEVER_RUN = "never run"
_FIRST_RUN = "its first run"

#: So many things are named; the others are counted.
NAMED_AT_MOST = 3
_CAUSE_CHARS = 120


class Failure(msgspec.Struct, frozen=True):
    """How a stage ended when it last failed."""

    run: str
    cause: str | None


class JobEnd(NamedTuple):
    """How the job of a stage ended in a run."""

    run: str
    stage: str
    state: str
    cause: str | None


def latest_failures(ends: Iterable[JobEnd]) -> dict[str, Failure]:
    """Return stage → how it failed, of ends told the newest first; one that went well later is left out."""
    last: dict[str, JobEnd] = {}
    for end in ends:
        if end.state in ("failed", "succeeded"):
            last.setdefault(end.stage, end)
    return {end.stage: Failure(end.run, end.cause) for end in last.values() if end.state == "failed"}


def reason(
    previous: StageRecord | None,
    *,
    failure: Failure | None = None,
    command: str,
    runtime: str,
    params: Mapping[str, Scalar],
    needs: Sequence[tuple[str, str]],
    makes: Sequence[str],
    makers: Mapping[str, str],
    changed_inside: Mapping[str, Sequence[str]] = {},
    imports: Mapping[str, str] = {},
    package_changes: Sequence[str] = (),
    has_other_reference: bool = False,
) -> str:
    """Return what differs between a stage now and as it last ran, as `code changed: train.py`.

    `failure` is told of where it is newer than `previous`, the last time that went well. `makers` gives the
    stage behind each need that is an artifact, `changed_inside` the files changed in each folder needed,
    `imports` what is said of data that comes from another project. `has_other_reference`: it compared with
    another version than the one that counts now.
    """
    if previous is None:
        return _failed(failure) if failure is not None else NEVER_RUN
    found = _changed_needs(dict(previous.needs), dict(needs), makers, changed_inside, imports)
    found += _changed_params(previous.params, params)
    if previous.command != command and not _is_explained(previous, params):
        found.append("command changed")
    if previous.runtime != runtime:
        found.append(f"runtime changed: {_listed(package_changes)}" if package_changes else "runtime changed")
    if {artifact.path for artifact in previous.artifacts} != set(makes):
        found.append("makes changed")
    if has_other_reference:
        found.append("another version is the accepted one")
    if failure is not None and failure.run > previous.run:
        found.append(_failed(failure))
    return "; ".join(found) if found else "its result is no longer on the hub"


def reason_beside_state(reason: str) -> str:
    """Return a reason as it is read beside a stage's state: "succeeded, never run" would be a riddle."""
    return _FIRST_RUN if reason == NEVER_RUN else reason


def _failed(failure: Failure) -> str:
    words = " ".join((failure.cause or "").split())
    cut = words if len(words) <= _CAUSE_CHARS else words[: _CAUSE_CHARS - 1] + "…"
    return f"failed last time (run {failure.run[-8:]})" + (f": {cut}" if cut else "")


def _is_explained(previous: StageRecord, params: Mapping[str, Scalar]) -> bool:
    """A command with a parameter filled in differs where the parameter does; that is said already."""
    return dict(previous.params) != dict(params)


def _changed_needs(
    before: Mapping[str, str],
    now: Mapping[str, str],
    makers: Mapping[str, str],
    changed_inside: Mapping[str, Sequence[str]],
    imports: Mapping[str, str],
) -> list[str]:
    code: list[str] = []
    data: list[str] = []
    upstream: list[str] = []
    for need, identity in now.items():
        if before.get(need) == identity:
            continue
        if need in makers:
            upstream.append(f"{need} (by {makers[need]})")
            continue
        for path in changed_inside.get(need) or (need,):
            if path in imports:
                data.append(f"{path} {imports[path]}")
            else:
                (code if posixpath.splitext(path)[1].lower() in CODE_SUFFIXES else data).append(path)
    gone = [need for need in before if need not in now]
    words = [("code changed", code), ("data changed", data), ("upstream changed", upstream)]
    words.append(("no longer needed", gone))
    return [f"{word}: {_listed(paths)}" for word, paths in words if paths]


def _changed_params(before: Mapping[str, Scalar], now: Mapping[str, Scalar]) -> list[str]:
    found = []
    for name in sorted({*before, *now}):
        if name not in before:
            found.append(f"new parameter {name} = {now[name]}")
        elif name not in now:
            found.append(f"parameter {name} is gone")
        elif before[name] != now[name] or type(before[name]) is not type(now[name]):
            found.append(f"parameter {name} {before[name]} → {now[name]}")
    return found


def _listed(items: Sequence[str]) -> str:
    more = len(items) - NAMED_AT_MOST
    return ", ".join(items[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
