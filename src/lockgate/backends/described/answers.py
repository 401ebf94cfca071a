"""What the commands of a described batch system print, understood. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from lockgate.backends.system import Seen, Submitted
from lockgate.errors import OutsideError
from lockgate.project.described import Description
from lockgate.project.pipeline import Resources
from lockgate.project.quantities import duration_words, size_words
from lockgate.runs.job import ExitRecord

_SHOWN = 200


class Line:
    """One job as the status command shows it."""

    def __init__(self, found: re.Match[str]) -> None:
        groups = found.groupdict()
        self.native_id: str = groups["id"]
        self.state: str = groups["state"]
        self.name: str | None = groups.get("name")
        self.reason: str = " ".join((groups.get("reason") or "").split())
        self.code: str | None = groups.get("code")
        self.signal: str | None = groups.get("signal")


def parse_submitted(described: Description, text: str) -> str:
    """Return the native id in what the submission printed.

    Raises `OutsideError` (`backend-answer`) where `submitted` finds none.
    """
    found = re.search(described.submitted, text, re.MULTILINE)
    if found is None or not is_id(found["id"]):
        raise _not_understood(
            described, "submitted", f"printed {shown(text)}, in which `submitted` finds no id"
        )
    return found["id"]


def is_id(text: str | None) -> bool:
    """Return whether this can be given back to a command: not empty, no option, no blank."""
    return bool(text) and text is not None and not text.startswith("-") and not re.search(r"[\s\0]", text)


def parse_lines(described: Description, text: str) -> list[Line]:
    """Return the jobs that the status command listed.

    Raises `OutsideError` (`backend-answer`) for a line that neither `line` nor `skip` understands: were it
    passed over, jobs would count as gone.
    """
    line, skip = re.compile(described.line), re.compile(described.skip) if described.skip else None
    jobs = []
    for written in text.splitlines():
        found = line.search(written)
        if found is not None and is_id(found["id"]):
            jobs.append(Line(found))
        elif written.strip() and not (skip is not None and skip.search(written)):
            raise _not_understood(
                described, "line", f"printed the line {shown(written)}, which neither `line` nor `skip` knows"
            )
    return jobs


def look(described: Description, lines: Iterable[Line], jobs: Mapping[str, Submitted]) -> dict[str, Seen]:
    """Return what is said of our jobs, by native id."""
    return {
        each.native_id: _seen(described, each, jobs[each.native_id])
        for each in lines
        if each.native_id in jobs
    }


def find(described: Description, lines: Iterable[Line], keys: Sequence[str]) -> dict[str, list[str]]:
    """Return the native ids of the batches by these keys, in the order of their members."""
    found: dict[str, list[str]] = {}
    for each in lines:
        if each.name in keys and each.name is not None:
            found.setdefault(each.name, []).append(each.native_id)
    if described.array is None:
        return {key: ids[-1:] for key, ids in found.items()}
    return {key: sorted(set(ids), key=_by_number) for key, ids in found.items()}


def _by_number(native_id: str) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d+", native_id)], native_id


def _seen(described: Description, line: Line, job: Submitted) -> Seen:
    key = job.key
    # Many a queue shows the first letters of a name only.
    name = key if line.name is None or (line.name and key.startswith(line.name)) else line.name
    if line.state in described.pending:
        return Seen("pending", name, reason=line.reason)
    if line.state in described.running:
        return Seen("running", name)
    if line.state in described.ended or line.state in described.causes:
        return Seen("ended", name, exit=_exit(described, line, job.job.resources))
    return Seen(
        "unknown",
        name,
        reason=f"is in the state {line.state!r}, which [batch.{described.name}] has neither among pending, "
        "running and ended nor in causes",
    )


def _exit(described: Description, line: Line, asked: Resources) -> ExitRecord:
    code = int(line.code) if line.code is not None and line.code.isdigit() else None
    signal = int(line.signal) if line.signal is not None and line.signal.isdigit() else None
    cause = described.causes.get(line.state)
    words = f"{described.name} says {line.state}"
    if line.reason:
        words += f": {line.reason}"
    if cause == "memory" and asked.memory_bytes is not None:
        words += f"; asked for {size_words(asked.memory_bytes)}"
    elif cause == "walltime" and asked.walltime_s is not None:
        words += f"; the walltime asked for was {duration_words(asked.walltime_s)}"
    return ExitRecord(
        code=None if signal else code,
        signal=signal or None,
        cause=cause,
        detail=None if cause is None else words,
    )


def shown(text: str) -> str:
    """Return what a program printed as a message can show it."""
    flat = " ".join(text.split())
    if not flat:
        return "nothing"
    return repr(flat if len(flat) <= _SHOWN else flat[: _SHOWN - 1] + "…")


def _not_understood(described: Description, key: str, what: str) -> OutsideError:
    return OutsideError(
        f"the {'submit' if key == 'submitted' else 'status'} command of [batch.{described.name}] {what}",
        f"Correct {key} in lockgate.toml so that it fits what the command prints.",
        code="backend-answer",
    )
