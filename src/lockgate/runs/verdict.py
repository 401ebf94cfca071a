"""Whether a job that ended did so well, and if not, why, in words that say what to do."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from lockgate.project.pipeline import MANIFEST_FILE, Stage
from lockgate.runs.inputs import Inputs
from lockgate.runs.job import ExitRecord
from lockgate.runs.sizing import Offer
from lockgate.runs.undeclared import find_undeclared
from lockgate.runs.workspace import Inventory, altered

_TAIL_BYTES = 32_000
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_LINE_LIMIT = 200
#: A line of a Java stack trace below its message (java.lang.Throwable.printStackTrace).
_JAVA_FRAME = re.compile(r"at [^\s(]+\(.*\)|\.\.\. \d+ (?:more|common frames omitted)")


def judge(
    folder: Path,
    exit_record: ExitRecord,
    stage: Stage,
    inputs: Inputs,
    inventory: Inventory,
    offer: Offer | None = None,
) -> str | None:
    """Return what is wrong with how a job ended, or None.

    A job that changed an input is at fault even where it says all went well: what it read is not what was
    declared. `offer`: what one that was killed for want of it is to be run with.
    """
    if exit_record.cause is not None:
        return _cause_in_words(exit_record, stage, inputs, offer)
    if not (folder / "workspace").is_dir():
        return "its workspace was deleted while it ran"
    changed = altered(folder, inventory)
    if exit_record.is_success and not changed:
        return None
    said = tail(folder / "output.log")
    if stage.checks is not None and exit_record.code == 1 and not changed:
        return last_line(said)
    words = [how_it_ended(exit_record)] if not exit_record.is_success else []
    last = last_line(said)
    if last and not exit_record.is_success:
        words[0] += f": {last}"
    if not exit_record.is_success:
        words += _undeclared(said, folder, stage, inputs)
    if changed:
        words.append(
            f"it altered {', '.join(changed[:3])}, which it needs: an input stays as it is; "
            "write to a path of its own and declare that in makes"
        )
    return "; ".join(words)


def _cause_in_words(exit_record: ExitRecord, stage: Stage, inputs: Inputs, offer: Offer | None) -> str:
    if exit_record.cause in ("memory", "walltime"):
        where = inputs.where(stage.group, exit_record.cause).rstrip(": ")
        words = exit_record.detail or exit_record.cause
        if offer is None:
            return f"{words}; ask for more {exit_record.cause} ({where})"
        once = f"{words}; {offer.why}; once with more: {offer.command}"
        # A dvc.yaml has no place for it
        is_settable = where.startswith(MANIFEST_FILE)
        return f'{once}; for good: {offer.kind} = "{offer.text}" ({where})' if is_settable else once
    if exit_record.cause == "cancelled":
        return "cancelled"
    return exit_record.detail or str(exit_record.cause)


def how_it_ended(exit_record: ExitRecord) -> str:
    if exit_record.signal is not None:
        try:
            name = signal.Signals(exit_record.signal).name
        except ValueError:
            name = "unknown"
        return exit_record.detail or f"killed by signal {exit_record.signal} ({name})"
    return f"exit code {exit_record.code}" + (f" ({exit_record.detail})" if exit_record.detail else "")


def tail(log: Path) -> str:
    """Return the end of a job's output."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def last_line(text: str) -> str:
    """Return the last line that says something, without control characters, cut to a readable length."""
    for line in reversed(text.splitlines()):
        clean = _CONTROL.sub("", line).strip()
        if clean and not _JAVA_FRAME.fullmatch(clean):
            return clean if len(clean) <= _LINE_LIMIT else clean[: _LINE_LIMIT - 1] + "…"
    return ""


def _undeclared(said: str, folder: Path, stage: Stage, inputs: Inputs) -> list[str]:
    """A file that exists in the project but not in the workspace was read without being declared."""
    if stage.needs is None:
        return []
    known = {*inputs.known, *inputs.made}
    declared = {*stage.needs, *stage.makes, *stage.params_files, stage.notebook, stage.spark}
    found = find_undeclared(said, os.fspath(folder / "workspace"), known, lambda path: path in declared)
    where = inputs.where(stage.group, "needs").rstrip(": ")
    return [
        f'it read {path}, which it does not declare: add "{path}" to needs ({where})' for path in found[:3]
    ]
