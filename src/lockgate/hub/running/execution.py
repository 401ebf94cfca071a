"""One run under way on the hub: performs the effects its state asks for, turns outcomes into events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from lockgate.backends.contract import Backend, Ended, Started
from lockgate.errors import LockgateError
from lockgate.git.objects import Repository
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.instant import iso
from lockgate.hub.planning.preparation import Prepared, prepare
from lockgate.hub.proving.proving import Proving, runtimes_of, scope_of
from lockgate.hub.running.findings import Findings
from lockgate.hub.running.intake import take_in
from lockgate.hub.running.layout import Layout
from lockgate.hub.running.recording import (
    VERIFICATION,
    Outcomes,
    announce,
    append_activity,
    append_verification,
    is_recorded,
    let_go,
    write_results,
)
from lockgate.hub.running.remarks import remarks
from lockgate.hub.running.starts import Starts
from lockgate.hub.wiring import Wiring
from lockgate.runs.advance import advance, effects_due, outcome_of
from lockgate.runs.job import ExitRecord, Job
from lockgate.runs.plan import TRIAL
from lockgate.runs.record import StageRecord
from lockgate.runs.run import (
    AT_BACKEND,
    FINAL_RUN_STATES,
    CancelJobs,
    CancelRequested,
    Collect,
    Decision,
    Effect,
    Event,
    Extended,
    JobCollected,
    JobEnded,
    JobFailed,
    JobRefused,
    JobStarted,
    Outcome,
    Planned,
    PreparationFailed,
    Prepare,
    PrepareStarted,
    Record,
    Recorded,
    Resolve,
    Resolved,
    Run,
    Submit,
)
from lockgate.runs.runid import short
from lockgate.runs.workspace import Inventory, clean, inventory
from lockgate.verify.report import Verification
from lockgate.verify.seeking import Trial


class Execution:
    """One run's state, and the hands it has. Events go in by `take`; what is left to do waits in queues."""

    def __init__(self, wiring: Wiring, row: RunRow) -> None:
        self.request = row.request
        self.run = Run(row.request.id)
        self.started_at = row.started_at or row.created_at
        self.ready: dict[str, deque[str]] = {}
        """By backend, the stages to be laid out and handed to it as it has room."""
        self.needs_preparation = False
        """The runtime is to be built, data to be fetched, then `finish_preparation` called."""
        self.needs_comparison = False
        """What was made again is to be compared, then `finish_comparison` called."""
        self.retry_at: float | None = None
        """When an effect that failed for an outside reason is due again."""
        self.runtimes = runtimes_of(wiring, self.request)
        self._wiring = wiring
        self._scope = scope_of(self.request)
        self._proved: Verification | None = None
        self._sequence = -1
        self._prepared: Prepared | None = None
        self._layout: Layout | None = None
        self._found = Findings()
        self._inventories: dict[str, Inventory] = {}
        self._due: deque[Effect] = deque()
        self._stages_by_folder: dict[str, str] = {}
        self._ended_at = self.started_at
        self._to_clean: list[Path] = []
        self._starts = Starts()
        self._waiting: dict[str, str] = {}
        """What was last said of jobs that wait."""
        self._was_recording = False
        """An earlier dispatcher may have appended the activity already."""

    @property
    def is_over(self) -> bool:
        return self.run.state in FINAL_RUN_STATES

    @property
    def prepared(self) -> Prepared:
        if self._prepared is None:
            self._prepared = prepare(
                self._wiring.hub, self._wiring.index, self._wiring.runtimes, self.request
            )
        return self._prepared

    @property
    def layout(self) -> Layout:
        if self._layout is None:
            repository = self._wiring.repository(self.request.project)
            self._layout = Layout(
                self._wiring.hub,
                self.prepared,
                self._wiring.hub.run_folder(self.request.project, self.request.id) / "jobs",
                repository,
                self._wiring.store,
                self.runtimes,
                repository.read_commit(self.request.commit).committed_at,
            )
        return self._layout

    def backend(self, name: str) -> Backend:
        """Return the backend of this name as the project describes it, or as installed."""
        return self._wiring.backend(name, self.prepared.batch.options.get(name, {}))

    def has_job_at(self, folder: str) -> bool:
        """Return whether the job with this folder is one of the run's."""
        return folder in self._stages_by_folder

    def restore(self) -> list[Job]:
        """Take the run up where an earlier dispatcher left it; return the jobs to attach to."""
        for sequence, at, event in self._wiring.index.events(self.request.id):
            self.run, _ = advance(self.run, event)
            self._sequence = sequence
            self._ended_at = at
            if isinstance(event, JobEnded):
                self._found.exits[event.stage] = event.exit
        if self.run.state in ("queued", "preparing"):
            self._due.extend(effects_due(self.run))
            return []
        self._was_recording = self.run.state == "recording"
        if self.run.jobs:
            self._restore_records()
        self._due.extend(effects_due(self.run))
        attach = []
        for stage, job in self.run.jobs.items():
            if job.state in AT_BACKEND or job.state == "collecting":
                # A folder that was not laid out to its end holds nothing that could have been started
                if inventory(self.folder_of(stage)) is not None:
                    attach.append(self._job(stage))
                elif job.state == "collecting" or job.native_id is not None:
                    self.take([JobFailed(stage, "its folder on the hub was deleted while it ran")])
                else:
                    self._make_ready((stage,))
        return attach

    def take(self, events: Iterable[Event]) -> None:
        """Advance by events and by all that follows at once; nothing is done before it is durable.

        What effects answer is made durable together. An effect that fails stays due, behind it all others.
        """
        answers: list[Event] = list(events)
        while answers or self._due:
            if answers:
                self._persist(answers)
                answers = []
            try:
                while self._due:
                    answers += self._perform(self._due[0])
                    self._due.popleft()
            except LockgateError:
                if answers:
                    self._persist(answers)
                raise

    def begin(self) -> None:
        if self.run.state == "queued":
            announce(
                self._wiring.repository(self.request.project), self._wiring.key, self.request, self.started_at
            )
            self.take([PrepareStarted()])
        else:
            self.take([])

    def cancel(self, by: str) -> None:
        self.take([CancelRequested(by)])

    def fail(self, cause: str) -> bool:
        """End the run for a cause that is nobody's job; return False where not even that can be recorded."""
        if self.run.state == "recording":
            return False
        self._due.clear()
        self.ready.clear()
        if self.run.state == "queued":
            self.take([PrepareStarted(), PreparationFailed(cause)])
        elif self.run.state == "preparing":
            self.take([PreparationFailed(cause)])
        else:
            self.take([JobFailed(stage, cause) for stage in self.run.jobs])
        return True

    def finish_preparation(self, failure: LockgateError | None) -> None:
        """Go on once the runtime is built, or say why it could not be."""
        self.needs_preparation = False
        if failure is not None:
            self.take([PreparationFailed(failure.as_cause)])
        else:
            self.take([self._plan()])

    def _plan(self) -> Event:
        plan = self.prepared.plan
        decisions = tuple(
            Decision(stage.name, stage.fingerprint, stage.reused.run if stage.reused else None)
            for stage in plan.stages
            if stage.fingerprint is not None
        )
        self._found.records.update({stage.name: stage.reused for stage in plan.stages if stage.reused})
        self._found.reasons = {stage.name: stage.reason for stage in plan.stages}
        self._wiring.index.add_jobs(self.request.id, self._found.reasons.items())
        return Planned(plan.upstream, decisions)

    def lay_out(self, stage: str) -> Job | None:
        """Lay out the next job; None when that failed, which is then the stage's failure."""
        try:
            backend = self.backend(self.prepared.backend_of(stage))
            job = self._job(stage)
            refusal = backend.refuses(job)
            if refusal is not None:
                self.take([JobRefused(stage, refusal)])
                return None
            attempt = self.run.jobs[stage].attempt
            self._inventories[stage] = self.layout.lay_out(stage, attempt, self._found.records)
        except OSError as error:
            self.take([JobFailed(stage, f"its workspace could not be laid out: {error.strerror or error}")])
            return None
        except LockgateError as error:
            self.take([JobFailed(stage, error.as_cause)])
            return None
        return job

    def hear(self, news: Iterable[Started | Ended]) -> None:
        """Take what backends report of this run's jobs; starts are kept back for a moment."""
        ends: list[Event] = []
        for one in news:
            stage = self._stages_by_folder[one.folder]
            if isinstance(one, Started):
                self._starts.keep(stage, one.native_id)
            else:
                self._starts.drop(stage)
                self._found.exits[stage] = one.exit
                ends.append(JobEnded(stage, one.exit, self.run.jobs[stage].attempt))
        self.take(ends)

    def tell_starts(self) -> None:
        """Take the starts of jobs that still run after the moment they were kept back."""
        due = self._starts.due()
        if due:
            self.take([JobStarted(stage, id, self.run.jobs[stage].attempt) for stage, id in due.items()])

    @property
    def keeps_starts(self) -> bool:
        return bool(self._starts)

    def _job(self, stage: str) -> Job:
        attempt = self.run.jobs[stage].attempt
        job = self.layout.job_of(stage, attempt)
        self._stages_by_folder[job.folder] = stage
        if attempt > 1:
            # What is still heard of the attempt before is of no concern any more
            self._stages_by_folder.pop(str(self.layout.folder_of(stage, attempt - 1)), None)
        return job

    def folder_of(self, stage: str) -> Path:
        """Return where the stage's newest attempt is."""
        return self.layout.folder_of(stage, self.run.jobs[stage].attempt)

    def _make_ready(self, stages: Iterable[str]) -> None:
        for stage in stages:
            self.ready.setdefault(self.prepared.backend_of(stage), deque()).append(stage)

    def _restore_records(self) -> None:
        """Find the artifacts of settled stages again, by their fingerprints."""
        for stage, job in self.run.jobs.items():
            if job.state in ("succeeded", "cached") and job.fingerprint is not None:
                record = self._find(job.fingerprint)
                if record is not None:
                    self._found.records[stage] = record
        self._found.seen = self._wiring.index.observations(self.request.id)
        self._found.reasons = {job.stage: job.reason for job in self._wiring.index.jobs(self.request.id)}

    def _persist(self, events: Sequence[Event]) -> None:
        index, now = self._wiring.index, time.time()
        before, moved = self.run, dict[str, None]()
        with index.transaction():
            self._found.write(index, self.request.id, self._scope)
            for event in events:
                after, effects = advance(self.run, event)
                if after is self.run and not effects:
                    continue
                self._sequence += 1
                index.add_event(self.request.id, self._sequence, event, now)
                self.run = after
                moved.update(dict.fromkeys(after.moved))
                self._due.extend(effects)
                self._ended_at = max(now, self._ended_at)
                if isinstance(event, JobEnded):
                    record = event.exit
                    index.set_job_times(
                        self.request.id,
                        event.stage,
                        record.started_at,
                        record.ended_at,
                        record.peak_memory_bytes,
                    )
                    if self.run.jobs[event.stage].state == "submitted":
                        self._found.reasons[event.stage] = f"run again: {record.detail or 'it was lost'}"
                        index.set_reason(self.request.id, event.stage, self._found.reasons[event.stage])
                elif isinstance(event, JobStarted):
                    index.set_job_times(self.request.id, event.stage, now, None, None)
            index.set_jobs(self.run.id, [(stage, self.run.jobs[stage]) for stage in moved])
            if self.run.state != before.state:
                self._persist_state(now)
        self._found.settle()

    def _persist_state(self, now: float) -> None:
        run = self.run
        self._wiring.index.set_run(
            run.id,
            run.state,
            started_at=now,
            ended_at=now if self.is_over else None,
            cause=run.cause,
            result_commit=run.result_commit,
            has_moved_branch=run.has_moved_branch,
        )

    def say_why_jobs_wait(self) -> None:
        """Write into the index what each job handed over and not running yet waits for, and how far the
        running ones have come."""
        if self.run.state != "running":
            return
        waiting = remarks(
            self.run, self.ready, self._stages_by_folder, self.prepared.backend_of, self.backend
        )
        changed: dict[str, str | None] = {
            stage: words for stage, words in waiting.items() if self._waiting.get(stage) != words
        }
        changed.update({stage: None for stage in self._waiting if stage not in waiting})
        self._waiting = waiting
        if changed:
            self._wiring.index.set_waiting(self.request.id, changed.items())

    @property
    def leftover_count(self) -> int:
        """How many finished jobs' workspaces are still to be removed.

        That is done apart from a job's end, since removing files may take longer than a trivial job does.
        """
        return len(self._to_clean)

    def clean_one(self) -> None:
        clean(self._to_clean.pop())

    def _perform(self, effect: Effect) -> Sequence[Event]:
        match effect:
            case Prepare():
                return self._prepare()
            case Resolve(stage):
                return self._resolve(stage)
            case Submit(stages):
                self._make_ready(stages)
            case Collect(stage, exit_record):
                return (self._collect(stage, exit_record),)
            case CancelJobs(stages):
                return self._cancel_jobs(stages)
            case Record(outcome):
                if self.request.proof is not None and self._proved is None:
                    self.needs_comparison = True
                    return ()
                return (self._record(outcome),)
        return ()

    def _prepare(self) -> Sequence[Event]:
        try:
            prepared = self.prepared
        except LockgateError as error:
            return (PreparationFailed(error.as_cause),)
        is_built = all(self.runtimes.ready(each.digest) is not None for each in prepared.runtimes)
        if not prepared.plan.is_nothing_to_do and not (is_built and not prepared.lacking):
            self.needs_preparation = True
            return ()
        return (self._plan(),)

    def _resolve(self, stage: str) -> Sequence[Event]:
        planner = self.prepared.planner
        fingerprint = planner.fingerprint_of(stage, self._found.records)
        if fingerprint is None:
            return (JobFailed(stage, "what an upstream stage made is gone from the hub"),)
        is_forced = stage in self.prepared.forced
        record = None if is_forced else self._find(fingerprint)
        if record is not None and not planner.holds(record):
            record = None
        if record is not None:
            self._found.records[stage] = record
            reason = f"cached from run {short(record.run)}"
        else:
            reason = "forced" if is_forced else planner.reason_of(stage, self._found.records)
        self._found.reasons[stage] = reason
        self._wiring.index.set_reason(self.request.id, stage, reason)
        return (Resolved(Decision(stage, fingerprint, record.run if record else None)),)

    def _find(self, fingerprint: str) -> StageRecord | None:
        """Return what is known under a fingerprint; a verification knows what it made itself, and what the
        verified run did."""
        found = self._wiring.index.find_result(self._scope, fingerprint)
        earlier = self.prepared.replayed
        if found is None and earlier is not None:
            known = (record for record in earlier.records.values() if record.fingerprint == fingerprint)
            found = next(known, None)
        return found

    def _collect(self, stage: str, exit_record: ExitRecord) -> Event:
        folder = self.folder_of(stage)
        placed = self._inventories.pop(stage, None)
        if placed is None:
            placed = self.layout.lay_out(stage, self.run.jobs[stage].attempt, self._found.records)
        taken = take_in(
            self._wiring,
            self.prepared,
            stage,
            folder,
            exit_record,
            placed,
            records=self._found.records,
            fingerprint=self.run.jobs[stage].fingerprint or "",
            ended_at=exit_record.ended_at or self._ended_at,
        )
        if taken.observation is not None:
            self._found.see(stage, taken.observation)
        if taken.record is None:
            self._found.partial[stage] = taken.partial
            return JobFailed(stage, taken.fault)
        self._found.make(stage, taken.record)
        self._to_clean.append(folder)
        return JobCollected(stage)

    def _cancel_jobs(self, stages: Sequence[str]) -> Sequence[Event]:
        wanted = set(stages)
        waiting = [stage for ready in self.ready.values() for stage in ready if stage in wanted]
        for stage in waiting:
            self.ready[self.prepared.backend_of(stage)].remove(stage)
        by_backend: dict[str, list[str]] = {}
        for stage in stages:
            if stage not in waiting:
                folder = str(self.folder_of(stage))
                by_backend.setdefault(self.prepared.backend_of(stage), []).append(folder)
        for name, folders in by_backend.items():
            self.backend(name).cancel(folders)
        return [JobFailed(stage, "cancelled") for stage in waiting]

    def _record(self, outcome: Outcome) -> Event:
        repository = self._wiring.repository(self.request.project)
        outcomes = self._outcomes(outcome)
        written = write_results(repository, self._wiring.key, outcomes)
        if self._proved is not None:
            self._tell_proof(repository, written.result_commit)
        if not (self._was_recording and is_recorded(repository.path, self.request.id)):
            append_activity(repository, self._wiring.key, outcomes, written)
        let_go(repository, self.request)
        return Recorded(written.result_commit, written.has_moved_branch)

    def _tell_proof(self, repository: Repository, result: str) -> None:
        assert self._proved is not None
        proved = msgspec.structs.replace(self._proved, result_again=result, at=iso(self._ended_at))
        if not (self._was_recording and is_recorded(repository.path, self.request.id, VERIFICATION)):
            append_verification(repository, self._wiring.key, proved, self.request.member, self._ended_at)
        self._wiring.index.add_verification(self.request.project, proved)

    def finish_comparison(self, found: Proving) -> None:
        """Go on with the trials that were asked for, or record what was found."""
        self.needs_comparison = False
        outcome = outcome_of(self.run)
        if found.trials and outcome == "succeeded":
            decisions = [
                Decision(f"{trial.stage}{TRIAL}{trial.name}", self._trial_fingerprint(trial))
                for trial in found.trials
            ]
            reasons = {f"{trial.stage}{TRIAL}{trial.name}": trial.words for trial in found.trials}
            self._found.reasons |= reasons
            self._wiring.index.add_jobs(self.request.id, reasons.items(), len(self.run.jobs))
            self.take([Extended(tuple(decisions))])
        else:
            self._proved = found.verification
            self._due.append(Record(outcome))
            self.take([])

    def _trial_fingerprint(self, trial: Trial) -> str:
        return f"{self.run.jobs[trial.stage].fingerprint}{TRIAL}{trial.name}"

    def _outcomes(self, outcome: Outcome) -> Outcomes:
        at_rest = ("succeeded", "failed", "cancelled")
        stages = [stage for stage, job in self.run.jobs.items() if job.state in at_rest]
        logs = {stage: self.folder_of(stage) / "output.log" for stage in stages if self._prepared is not None}
        times = self.started_at, self._ended_at
        return self._found.outcomes(self.request, self.run, outcome, self._prepared, logs, times)
