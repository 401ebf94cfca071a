"""A `Backend` made of a `BatchSystem`: hands jobs over in batches, watches them, never loses one."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from lockgate.backends import ledger
from lockgate.backends.caller import Caller
from lockgate.backends.contract import Ended, Started
from lockgate.backends.handover import Answer, Call, Handover
from lockgate.backends.ledger import Note
from lockgate.backends.settlement import settle
from lockgate.backends.system import BatchSystem, Seen, Submitted
from lockgate.backends.traces import has_traces, read_traces
from lockgate.errors import LockgateError, OutsideError
from lockgate.project.pipeline import Resources
from lockgate.runs import exitrecord
from lockgate.runs.job import ExitRecord, Job

#: A look is due when this part of the time since the last change has gone by, so that watching long jobs
#: costs nothing; and looking may take one part in so many of the time.
_AGE_SHARE = 20
_BUSY_SHARE = 20
_LOOK_AT_MOST_S = 30.0
#: So often the folder of one job is asked whether that has ended. When all have, a look is due at once, and
#: again each time that half the time since has gone by.
_RECORD_LOOK_S = 0.5
_RECORDED_SHARE = 2
#: When nothing has changed for so long, looking takes one part in so many of the time.
_QUIET_S = 5.0
_COST_SHARE = 100
#: So long a system may take until it knows of a job it has accepted, or until a record that a job wrote on
#: its node is seen here.
_LAG_S = 10.0
#: A record that was there at two looks into a job's folder, so far apart, is the job's end.
_OWN_LOOK_S = 15.0
_AGAIN_S = 1.0
_AGAIN_AT_MOST_S = 30.0
#: Jobs that wait this long are worth a dear question, and the same again as often.
_EXPLAIN_AFTER_S = 20.0
_EXPLAIN_EVERY_S = 120.0


class _Watched:
    """A job that the system has accepted."""

    def __init__(self, submitted: Submitted) -> None:
        self.submitted = submitted
        self.state = "pending"
        self.reason = ""
        self.explanation = ""
        self.is_cancelled = False
        self.cancel_is_due = False
        self.since = time.monotonic()
        """When the system, or this process, first knew it in this state."""
        self.own_look_at = self.since + _OWN_LOOK_S
        """When its folder is looked at for a record that its system does not know of."""
        self.has_own_record = False
        self.lacks_since: float | None = None
        """Since when something is missing that may only be late: the job at its system, or its record."""
        self.ended_as: ExitRecord | None = None
        self.has_been_explained_at: float | None = None


class BatchBackend:
    """Keeps every job's state on one thread; the system's calls are made on another, one at a time.

    Parameters
    ----------
    lag_s
        How long, in seconds, something may be missing before it counts as gone.
    """

    def __init__(self, system: BatchSystem, *, lag_s: float = _LAG_S) -> None:
        self._system = system
        self._lag_s = lag_s
        self._caller: Caller[Answer] = Caller(f"{system.name} calls")
        self._seen: set[str] = set()
        self._handover = Handover(
            system,
            lag_s,
            accepted=self._watch,
            lost=self._report_lost,
            ended=self._report,
            troubled=self._note_trouble,
        )
        self._watched: dict[str, _Watched] = {}
        """By folder."""
        self._news: list[Started | Ended] = []
        self._unwritten: dict[str, ExitRecord] = {}
        self._trouble: LockgateError | None = None
        self._trouble_since = 0.0
        self._complaint: OutsideError | None = None
        self._again_at = 0.0
        self._again_s = _AGAIN_S
        self._over: set[str] = set()
        """The folders of jobs that were reported as ended."""
        self._look_took_s = 0.0
        self._looked_at = 0.0
        self._unrecorded: deque[str] = deque()
        """The folders of watched jobs, but for the first ones that have left their own record."""
        self._records_looked_at = 0.0
        self._recorded_at: float | None = None
        """Since when every watched job has left its record."""
        self._changed_at = time.monotonic()
        self._is_asked_why = False
        self._is_closed = False

    def room(self) -> int | None:
        return max(0, self._system.batch_limit() - len(self._handover))

    def submit(self, jobs: Sequence[Job]) -> None:
        self._admit(jobs)
        self._call()

    def attach(self, jobs: Sequence[Job]) -> None:
        self.submit(jobs)

    def poll(self) -> Sequence[Started | Ended]:
        """Raises `OutsideError` for what the system failed to do or say, once a failure; it is tried again,
        less and less often, and the jobs go on meanwhile."""
        self._take_answer()
        self._call()
        news, self._news = self._news, []
        if not news:
            self._write()
            news, self._news = self._news, []
        if not news and self._complaint is not None:
            complaint, self._complaint = self._complaint, None
            raise complaint
        return news

    def cancel(self, folders: Sequence[str]) -> None:
        self._admit([Job("", os.path.basename(each), each, Resources()) for each in folders])  # noqa: PTH119
        for folder in folders:
            if folder in self._watched:
                self._watched[folder].is_cancelled = self._watched[folder].cancel_is_due = True
            else:
                self._handover.cancel(folder)
        self._call()

    def why_pending(self, folders: Sequence[str]) -> Mapping[str, str]:
        self._is_asked_why = True
        why = {}
        for folder in folders:
            watched = self._watched.get(folder)
            if folder not in self._seen or folder in self._over:
                continue
            if self._trouble is not None:
                why[folder] = self._trouble_in_words()
            elif watched is None:
                why[folder] = f"is being handed to {self._system.name}"
            elif watched.state != "running":
                words = watched.explanation or watched.reason
                why[folder] = words or f"waits in the queue of {self._system.name}"
        return why

    def progress(self, folders: Sequence[str]) -> Mapping[str, str]:
        told = {}
        for folder in folders:
            watched = self._watched.get(folder)
            if watched is None or watched.state != "running":
                continue
            if self._trouble is not None:
                told[folder] = f"{self._trouble_in_words()}; the job may go on"
            elif watched.reason:
                told[folder] = watched.reason
        return told

    def refuses(self, job: Job) -> str | None:
        if "\n" in job.folder:
            return f"its folder's path holds a line break, which {self._system.name} cannot be told"
        return self._system.refuses(job)

    def wake_fds(self) -> Sequence[int]:
        own = self._caller.fileno()
        is_idle = not self._caller.is_busy and self._trouble is None and bool(self._watched)
        theirs = self._system.wake_fd() if is_idle else None
        return (own,) if theirs is None else (own, theirs)

    def poll_interval_s(self) -> float | None:
        if self._news:
            return 0.0
        now = time.monotonic()
        due = [_AGAIN_S] if self._unwritten else []
        if not self._caller.is_busy:
            if self._trouble is not None and self._has_work:
                due.append(self._again_at - now)
            else:
                find_due_s = self._handover.find_due_s
                due += [] if find_due_s is None else [find_due_s]
                if self._watched:
                    due += [self._look_due_at() - now, self._records_looked_at + _RECORD_LOOK_S - now]
        return max(0.0, min(due)) if due else None

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._caller.close(self._system.close)

    @property
    def _has_work(self) -> bool:
        return bool(self._watched) or self._handover.has_work

    def _trouble_in_words(self) -> str:
        since = time.strftime("%H:%M:%S", time.gmtime(self._trouble_since))
        message = self._trouble.message if self._trouble is not None else ""
        return f"{message} (since {since} UTC; tried again)"

    def _admit(self, jobs: Sequence[Job]) -> None:
        """Take in those jobs that are not known yet."""
        new = [job for job in jobs if job.folder not in self._seen]
        self._seen.update(job.folder for job in new)
        for job in new:
            self._take_ended(job)
        for job in new:
            if job.folder not in self._over and job.folder not in self._watched:
                self._take(job)

    def _take_ended(self, job: Job) -> None:
        record = exitrecord.read(job.folder)
        if record is not None:
            self._over.add(job.folder)
            self._news.append(Ended(job.folder, record))

    def _take(self, job: Job) -> None:
        """Take in a job that has not ended, in whatever state its folder says it is."""
        note = ledger.read_note(job.folder)
        if note is not None and note.native_ids is None:
            self._handover.doubt(note, job.folder)
        elif note is not None:
            self._watch(note)
        elif has_traces(job.folder):
            self._report_lost(job)
        else:
            refusal = self.refuses(job)
            if refusal is None:
                self._handover.add(job)
            else:
                self._report(job.folder, ExitRecord(cause="refused", detail=refusal))

    def _watch(self, note: Note) -> None:
        """Watch those jobs of an accepted batch that were given to this process and are not watched yet."""
        for job, native_id in zip(note.jobs, note.native_ids or (), strict=False):
            is_mine = job.folder in self._seen and job.folder not in self._over
            if is_mine and job.folder not in self._watched:
                watched = _Watched(Submitted(job, note.key, native_id, note.submitted_at))
                if self._handover.take_cancelled(job.folder):
                    watched.is_cancelled = watched.cancel_is_due = True
                self._watched[job.folder] = watched
                self._unrecorded.append(job.folder)
                self._recorded_at = None
        self._changed_at = time.monotonic()

    # Calls: begun by the owner of the state, answered with what it is to do.

    def _call(self) -> None:
        """Begin the call that is due, if any and if none is under way."""
        if self._caller.is_busy or self._is_closed or not self._has_work:
            return
        now = time.monotonic()
        if self._trouble is not None and now < self._again_at:
            return
        for call in self._due(now):
            self._caller.start(call)
            return

    def _due(self, now: float) -> Iterator[Call]:
        doomed = [each for each in self._watched.values() if each.cancel_is_due]
        if doomed:
            yield lambda: self._ask_cancel(doomed)
        yield from self._handover.due()
        self._look_at_records(now)
        if self._watched and (now >= self._look_due_at() or self._is_woken()):
            watched = list(self._watched.values())
            yield lambda: self._ask_look(watched)
        puzzling = self._puzzling(now)
        if puzzling:
            yield lambda: self._ask_explain(puzzling)

    def _look_due_at(self) -> float:
        age = self._looked_at - self._changed_at
        cost_s = _COST_SHARE * self._look_took_s if age > _QUIET_S else 0.0
        growing_s = min(_LOOK_AT_MOST_S, max(age / _AGE_SHARE, cost_s))
        interval_s = max(growing_s, _BUSY_SHARE * self._look_took_s)
        if self._recorded_at is not None:
            since_s = (self._looked_at - self._recorded_at) / _RECORDED_SHARE
            interval_s = min(interval_s, max(self._look_took_s, since_s))
        return self._looked_at + max(self._system.look_interval_s(), interval_s)

    def _look_at_records(self, now: float) -> None:
        """Notice when every watched job has left its own record: what the system says is worth a look then.

        One folder is asked, that of the first job that had none the last time, however many there are.
        """
        if now - self._records_looked_at < _RECORD_LOOK_S or not self._watched:
            return
        self._records_looked_at = now
        while self._unrecorded:
            folder = self._unrecorded[0]
            if folder in self._watched and not exitrecord.has_raw(folder):
                return
            self._unrecorded.popleft()
        if self._recorded_at is None:
            self._recorded_at = now

    def _is_woken(self) -> bool:
        wake = self._system.wake_fd()
        return wake is not None and bool(select.select([wake], [], [], 0)[0])

    def _puzzling(self, now: float) -> list[_Watched]:
        if not self._is_asked_why:
            return []
        self._is_asked_why = False
        return [
            each
            for each in self._watched.values()
            if each.state == "pending"
            and now - each.since > _EXPLAIN_AFTER_S
            and (each.has_been_explained_at is None or now - each.has_been_explained_at > _EXPLAIN_EVERY_S)
        ]

    def _take_answer(self) -> None:
        answer = self._caller.take()
        if answer is None:
            return
        if isinstance(answer, LockgateError):
            self._handover.put_back()
            self._note_trouble(answer)
        else:
            self._trouble = None
            self._again_s = _AGAIN_S
            answer()

    def _note_trouble(self, error: LockgateError) -> None:
        if self._trouble is None:
            self._trouble_since = time.time()
        self._trouble = error
        self._again_at = time.monotonic() + self._again_s
        self._again_s = min(_AGAIN_AT_MOST_S, 2 * self._again_s)
        self._complaint = OutsideError(error.message, error.hint, code=error.code, is_transient=True)

    def _ask_cancel(self, doomed: Sequence[_Watched]) -> Answer:
        self._system.cancel([each.submitted for each in doomed])

        def hear() -> None:
            for each in doomed:
                each.cancel_is_due = False
            self._changed_at = time.monotonic()

        return hear

    def _ask_explain(self, puzzling: Sequence[_Watched]) -> Answer:
        said = self._system.explain([each.submitted for each in puzzling])

        def hear() -> None:
            for each in puzzling:
                each.has_been_explained_at = time.monotonic()
                each.explanation = said.get(each.submitted.native_id, "")

        return hear

    def _ask_look(self, watched: Sequence[_Watched]) -> Answer:
        began = time.monotonic()
        said = self._system.look([each.submitted for each in watched])
        for each in watched:
            seen = said.get(each.submitted.native_id)
            if seen is not None and seen.state == "ended" and _is_ours(each, seen):
                self._system.bring(each.submitted)
        self._look_took_s = time.monotonic() - began
        return lambda: self._hear_look(watched, said)

    def _hear_look(self, watched: Sequence[_Watched], said: Mapping[str, Seen]) -> None:
        self._looked_at = time.monotonic()
        for each in watched:
            seen = said.get(each.submitted.native_id)
            if seen is None or not _is_ours(each, seen):
                self._miss(each)
            elif seen.state == "ended":
                self._end(each, seen.exit or ExitRecord())
            elif not self._has_outlived(each):
                each.lacks_since = None
                self._move(each, seen)

    def _has_outlived(self, each: _Watched) -> bool:
        """Finish a job whose own record has long been there though its system still has it, as one that came
        back from a crash may. That is looked at once a while: looks must stay cheap."""
        now = time.monotonic()
        if now < each.own_look_at:
            return False
        each.own_look_at = now + _OWN_LOOK_S
        if read_traces(each.submitted.job.folder).own is None:
            return False
        if not each.has_own_record:
            each.has_own_record = True
            return False
        self._finish(each, ExitRecord())
        return True

    def _move(self, each: _Watched, seen: Seen) -> None:
        if seen.state == "unknown":
            each.reason = seen.reason
            self._complaint = OutsideError(
                f"{self._system.name} job {each.submitted.native_id}: {seen.reason}",
                "Lockgate does not guess what that means: please report it.",
                code="backend-answer",
                is_transient=True,
            )
            return
        if seen.state != each.state:
            each.state, each.since, each.explanation = seen.state, self._looked_at, ""
            self._changed_at = self._looked_at
            if seen.state == "running":
                self._news.append(Started(each.submitted.job.folder, each.submitted.native_id))
        each.reason = seen.reason

    def _miss(self, each: _Watched) -> None:
        """The system has no trace of a job: its own record tells how it ended, else it is lost."""
        if each.ended_as is None and read_traces(each.submitted.job.folder).own is not None:
            self._end(each, ExitRecord())
        elif self._is_late(each):
            self._finish(each, each.ended_as)

    def _end(self, each: _Watched, exit_record: ExitRecord) -> None:
        each.ended_as = exit_record
        has_record = read_traces(each.submitted.job.folder).own is not None
        if has_record or exit_record.cause is not None or each.is_cancelled or self._is_late(each):
            self._finish(each, exit_record)

    def _is_late(self, each: _Watched) -> bool:
        """Whether what is missing has been missing for too long to come yet."""
        now = time.monotonic()
        if each.lacks_since is None:
            each.lacks_since = now
            self._changed_at = now
        return now - each.lacks_since >= self._lag_s

    def _finish(self, each: _Watched, exit_record: ExitRecord | None) -> None:
        job = each.submitted.job
        del self._watched[job.folder]
        self._changed_at = time.monotonic()
        record = self._settled(job, exit_record, each.submitted.native_id, is_cancelled=each.is_cancelled)
        self._report(job.folder, record)

    def _report_lost(self, job: Job) -> None:
        self._report(job.folder, self._settled(job, None, None, is_cancelled=False))

    def _settled(
        self, job: Job, exit_record: ExitRecord | None, native_id: str | None, *, is_cancelled: bool
    ) -> ExitRecord:
        return settle(
            read_traces(job.folder),
            exit_record,
            folder=job.folder,
            resources=job.resources,
            is_cancelled=is_cancelled,
            system=self._system.name,
            native_id=native_id or "of unknown number",
        )

    def _report(self, folder: str, record: ExitRecord) -> None:
        """Report an end once it is on disk."""
        self._over.add(folder)
        try:
            if os.path.isdir(folder):  # noqa: PTH112
                exitrecord.write(folder, record)
        except OutsideError:
            self._unwritten[folder] = record
        else:
            self._news.append(Ended(folder, record))

    def _write(self) -> None:
        for folder, record in list(self._unwritten.items()):
            exitrecord.write(folder, record)
            del self._unwritten[folder]
            self._news.append(Ended(folder, record))


def _is_ours(each: _Watched, seen: Seen) -> bool:
    """Whether a native id still means the job we submitted, and not a later one that was given its number."""
    return seen.key is None or seen.key == each.submitted.key
