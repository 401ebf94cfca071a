"""What was handed to a batch system, on disk: written before the submission and after it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lockgate.backends.system import MEMBERS
from lockgate.errors import OutsideError
from lockgate.runs.job import Job

#: In a job's folder: the batch it belongs to.
POINTER = "batch"
#: Beside the jobs' folders: the folders of the batches.
BATCHES = ".batches"
NOTE, WRAPPER = "batch.json", "wrapper.sh"

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9]+")


class Note(msgspec.Struct, frozen=True):
    """One submission: meant to be made, or made where `native_ids` are there."""

    key: str
    folder: str
    jobs: tuple[Job, ...]
    native_ids: tuple[str, ...] | None = None
    submitted_at: float = 0.0
    """Seconds since the epoch; of a submission only meant, when it was begun."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Note).decode


def new_key(jobs: Sequence[Job]) -> str:
    """Return what a batch of these jobs is called at its system: readable, and never used twice."""
    word = _NOT_IN_A_NAME.sub("-", jobs[0].stage.partition("@")[0]).strip("-")[:20].strip("-")
    return f"lg-{word}-{secrets.token_hex(6)}" if word else f"lg-{secrets.token_hex(6)}"


def open_note(jobs: Sequence[Job], now: float, script: str) -> Note:
    """Write down that these jobs are about to be submitted together; return the note.

    From here on each job's folder points at the note, so that a later process asks the system whether it
    took them. Raises `OutsideError` (`job-folder`) when the disk refuses.
    """
    key = new_key(jobs)
    folder = Path(jobs[0].folder).parent / BATCHES / key
    note = Note(key, os.fspath(folder), tuple(jobs), submitted_at=now)
    try:
        folder.mkdir(parents=True)
        (folder / WRAPPER).write_text(script, encoding="utf-8")
        link_members(folder, jobs)
        write_note(note)
        for job in jobs:
            pointer = f"{job.folder}/{POINTER}"
            with open(f"{pointer}.new", "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
                file.write(os.fspath(folder))
            os.rename(f"{pointer}.new", pointer)  # noqa: PTH104
    except OSError as error:
        raise OutsideError(
            f"{error.filename or folder} could not be written: {error.strerror}",
            "Make room on that disk, or give it back; the jobs are submitted then.",
            code="job-folder",
            is_transient=True,
        ) from None
    return note


def link_members(folder: Path, jobs: Sequence[Job]) -> None:
    """Make `members`: a link to each job's folder, by its number from 0 on. Raises `OSError`."""
    members = os.fspath(folder / MEMBERS)
    os.mkdir(members)  # noqa: PTH102
    for number, job in enumerate(jobs):
        os.symlink(job.folder, f"{members}/{number}")  # noqa: PTH211


def read_members(folder: str) -> list[str]:
    """Return the folders of a batch's jobs, in order; none where the batch's folder is gone."""
    members = f"{folder}/{MEMBERS}"
    try:
        return [os.readlink(f"{members}/{number}") for number in range(len(os.listdir(members)))]  # noqa: PTH115, PTH208
    except OSError:
        return []


def write_note(note: Note) -> None:
    """Write the note so that a reader sees all of it or the one before. Raises `OSError`."""
    path = f"{note.folder}/{NOTE}"
    with open(f"{path}.new", "wb") as file:  # noqa: PTH123
        file.write(_encode(note))
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{path}.new", path)  # noqa: PTH104


def keep(note: Note) -> None:
    """Write the note if the disk lets it."""
    with contextlib.suppress(OSError):
        write_note(note)


def read_note(job_folder: str) -> Note | None:
    """Return the note that the job in this folder is in; None: it was never about to be submitted."""
    try:
        pointer = Path(job_folder, POINTER).read_text(encoding="utf-8", errors="surrogateescape")
        return _decode(Path(pointer, NOTE).read_bytes())
    except (OSError, ValueError, msgspec.DecodeError):
        return None
