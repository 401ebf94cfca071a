"""Jobs on their way to a batch system: gathered into batches, submitted once, looked for when in doubt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from lockgate.backends import ledger
from lockgate.backends.ledger import Note
from lockgate.backends.system import Batch, BatchSystem
from lockgate.backends.traces import has_traces
from lockgate.backends.wrapper import wrapper_script
from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.runs.job import ExitRecord, Job

#: What a call did, to be taken in by the thread that owns the state.
Answer = Callable[[], None]
Call = Callable[[], Answer]

_FIND_AGAIN_S = 1.0


class Handover:
    """Owns every job between its coming and the system's word that it has it.

    Parameters
    ----------
    lag_s
        How long, in seconds, a system may take until it knows of a batch it has accepted.
    accepted
        Called with each note whose jobs the system has.
    lost
        Called with a job that has begun although the system never heard of it.
    ended
        Called for each job that was refused, or cancelled before it was handed over.
    troubled
        Called with an error that left it in doubt whether the system has taken jobs.
    """

    def __init__(
        self,
        system: BatchSystem,
        lag_s: float,
        *,
        accepted: Callable[[Note], None],
        lost: Callable[[Job], None],
        ended: Callable[[str, ExitRecord], None],
        troubled: Callable[[LockgateError], None],
    ) -> None:
        self._system = system
        self._lag_s = lag_s
        self._accepted, self._lost, self._ended, self._troubled = accepted, lost, ended, troubled
        self._queue: dict[str, Job] = {}
        self._handing: dict[str, Job] = {}
        """Those of the submission under way."""
        self._doubtful: dict[str, Note] = {}
        """Submissions begun of which nobody knows whether they were made, by key."""
        self._mine: dict[str, set[str]] = {}
        """Of each doubtful submission, the folders of the jobs that were given to this process."""
        self._cancelled: set[str] = set()
        self._find_at = 0.0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def has_work(self) -> bool:
        return bool(self._queue or self._handing or self._doubtful)

    @property
    def find_due_s(self) -> float | None:
        """In how many seconds it wants to ask again for a submission in doubt; None: there is none."""
        return max(0.0, self._find_at - time.monotonic()) if self._doubtful else None

    def add(self, job: Job) -> None:
        self._queue[job.folder] = job

    def doubt(self, note: Note, folder: str) -> None:
        """Take up a submission that an earlier process began, for the job in this folder."""
        self._doubtful[note.key] = note
        self._mine.setdefault(note.key, set()).add(folder)

    def cancel(self, folder: str) -> None:
        """Keep a job from being handed over; one that is on its way is cancelled once that is known."""
        if self._queue.pop(folder, None) is not None:
            self._end_cancelled(folder)
        elif folder in self._handing or any(folder in mine for mine in self._mine.values()):
            self._cancelled.add(folder)

    def take_cancelled(self, folder: str) -> bool:
        """Return whether a job that was on its way is to be cancelled, and forget it."""
        is_cancelled = folder in self._cancelled
        self._cancelled.discard(folder)
        return is_cancelled

    def due(self) -> Iterator[Call]:
        """Yield the calls that are to be made now, most urgent first; making one calls for another `due`."""
        if self._doubtful and time.monotonic() >= self._find_at:
            notes = list(self._doubtful.values())
            yield lambda: self._ask_find(notes)
        if self._queue:
            jobs = self._next_batch()
            self._handing = {job.folder: self._queue.pop(job.folder) for job in jobs}
            yield lambda: self._ask_submit(jobs)

    def put_back(self) -> None:
        """The submission under way failed before the system was asked: its jobs wait again, in front."""
        handing, self._handing = self._handing, {}
        self._queue = {**handing, **self._queue}
        for folder in handing:
            if self.take_cancelled(folder):
                del self._queue[folder]
                self._end_cancelled(folder)

    def _next_batch(self) -> tuple[Job, ...]:
        """The first job that waits, and all others that may share its submission."""
        jobs = iter(self._queue.values())
        first = next(jobs)
        alike = [first]
        limit = self._system.batch_limit()
        for job in jobs:
            if len(alike) == limit:
                break
            if _kind(job) == _kind(first):
                alike.append(job)
        return tuple(alike)

    def _ask_submit(self, jobs: tuple[Job, ...]) -> Answer:
        asked, system = jobs[0].resources, self._system
        script = wrapper_script(
            None if system.keeps_walltime else asked.walltime_s,
            None if system.keeps_memory else asked.memory_bytes,
            sweeps=not system.ends_leftovers,
        )
        note = ledger.open_note(jobs, time.time(), script)
        try:
            native_ids = system.submit(Batch(note.key, note.folder, jobs))
        except UserError as error:
            refusal = ExitRecord(cause="refused", detail=f"{error.message} ({error.hint})")
            return lambda: self._hear_refused(jobs, refusal)
        except LockgateError as error:
            failure: LockgateError = error
            return lambda: self._hear_doubtful(note, failure)
        if len(native_ids) != len(jobs):
            failure = OutsideError(
                f"{system.name} named {len(native_ids)} jobs where {len(jobs)} were submitted",
                f"Look at them there under the name {note.key}.",
                code="backend-answer",
            )
            return lambda: self._hear_doubtful(note, failure)
        made = _made(note, native_ids)
        return lambda: self._hear_submitted(made)

    def _hear_submitted(self, note: Note) -> None:
        self._handing = {}
        self._accepted(note)

    def _hear_refused(self, jobs: Sequence[Job], refusal: ExitRecord) -> None:
        self._handing = {}
        for job in jobs:
            self._cancelled.discard(job.folder)
            self._ended(job.folder, refusal)

    def _hear_doubtful(self, note: Note, error: LockgateError) -> None:
        self._handing = {}
        self._doubtful[note.key] = note
        self._mine[note.key] = {job.folder for job in note.jobs}
        self._troubled(error)

    def _ask_find(self, notes: Sequence[Note]) -> Answer:
        found = self._system.find([Batch(note.key, note.folder, note.jobs) for note in notes])
        return lambda: self._hear_found(notes, found)

    def _hear_found(self, notes: Sequence[Note], found: Mapping[str, Sequence[str]]) -> None:
        self._find_at = time.monotonic() + _FIND_AGAIN_S
        for note in notes:
            native_ids = found.get(note.key)
            age_s = time.time() - note.submitted_at
            if native_ids is not None and len(native_ids) == len(note.jobs):
                self._resolve(note.key)
                self._accepted(_made(note, native_ids))
            elif age_s < 0 or age_s >= self._lag_s:
                mine = self._resolve(note.key)
                for job in note.jobs:
                    if job.folder in mine:
                        self._submit_again(job)

    def _resolve(self, key: str) -> set[str]:
        del self._doubtful[key]
        return self._mine.pop(key)

    def _submit_again(self, job: Job) -> None:
        """The system never heard of it."""
        if has_traces(job.folder):
            self._lost(job)
        elif self.take_cancelled(job.folder):
            self._end_cancelled(job.folder)
        else:
            self._queue[job.folder] = job

    def _end_cancelled(self, folder: str) -> None:
        self._ended(folder, ExitRecord(cause="cancelled", detail="cancelled before it started"))


def _made(note: Note, native_ids: Sequence[str]) -> Note:
    """Note that a submission was made. Where the disk refuses, a later process asks the system by the key."""
    made = msgspec.structs.replace(note, native_ids=tuple(native_ids))
    ledger.keep(made)
    return made


def _kind(job: Job) -> tuple[object, ...]:
    """What jobs share that are handed over together."""
    return job.run, job.resources, job.options, job.runtime
