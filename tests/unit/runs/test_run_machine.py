"""Any life of any run: random graphs, events twice and late, failures, cancellations, restarts."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
)

from lockgate.runs.advance import advance, effects_due
from lockgate.runs.job import ExitRecord
from lockgate.runs.run import (
    AT_BACKEND,
    FINAL_RUN_STATES,
    SETTLED_JOB_STATES,
    CancelJobs,
    CancelRequested,
    Collect,
    Decision,
    Effect,
    Event,
    JobCollected,
    JobEnded,
    JobFailed,
    JobRefused,
    JobStarted,
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

Upstream = dict[str, tuple[str, ...]]
WELL = ("succeeded", "cached")
#: A job only ever moves to the right.
ORDER = ["waiting", "resolving", "submitted", "running", "collecting"]

RARELY_NOT = st.sampled_from([True] * 7 + [False])


@st.composite
def graphs(draw: st.DrawFn) -> Upstream:
    """Chains, fans, matrices (layers that wait for whole layers), and anything without a circle."""
    shape = draw(st.sampled_from(["chain", "fan", "matrix", "any"]))
    count = draw(st.integers(0 if shape == "any" else 1, 7))
    names = [f"s{number}" for number in range(count)]
    if shape == "chain":
        return {name: tuple(names[max(0, at - 1) : at]) for at, name in enumerate(names)}
    if shape == "fan":
        middle = dict.fromkeys(names[1:], (names[0],))
        return {names[0]: (), **middle, "end": tuple(middle) or (names[0],)}
    if shape == "matrix":
        cut = draw(st.integers(1, count))
        first, second = names[:cut], names[cut:]
        return {
            **dict.fromkeys(first, ()),
            **{n: tuple(first) for n in second},
            "sum": tuple(second or first),
        }
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:at]), unique=True))) if at else ()
        for at, name in enumerate(names)
    }


class RunLife(RuleBasedStateMachine):
    """A dispatcher and a backend around `advance`, which may do anything but lie about what happened."""

    events: Bundle[Event] = Bundle("events")

    @initialize(target=events, graph=graphs(), known=st.sets(st.integers(0, 8)), is_planned=RARELY_NOT)
    def begin(self, graph: Upstream, known: set[int], is_planned: bool) -> Event:
        self.graph = graph
        self.known = {stage for at, stage in enumerate(graph) if at in known}
        self.run = Run("R")
        self.history: list[Event] = []
        self.todo: list[Effect] = []
        self.backend: dict[str, ExitRecord | None] = {}
        """Jobs the backend has; with an exit record: ended, and not told yet or to be told again."""
        self.asked: Counter[str] = Counter()
        if is_planned:
            self.happen(PrepareStarted())
            self.todo.clear()
            return self.happen(self.planned())
        return self.happen(PrepareStarted())

    def happen(self, event: Event) -> Event:
        before = self.run
        self.run, effects = advance(before, event)
        self.history.append(event)
        self.todo.extend(effects)
        self.check_step(before, effects)
        self.whole()
        return event

    def check_step(self, before: Run, effects: tuple[Effect, ...]) -> None:
        """What may follow one event, said without looking at how `advance` does it."""
        if before.state in FINAL_RUN_STATES:
            assert self.run == before
            assert effects == ()
        for stage, job in before.jobs.items():
            now = self.run.jobs[stage].state
            if job.state in SETTLED_JOB_STATES:
                assert now == job.state
            elif self.run.jobs[stage].attempt > job.attempt:
                assert now == "submitted" and self.run.jobs[stage].attempt == job.attempt + 1 == 2
            elif now not in SETTLED_JOB_STATES:
                assert ORDER.index(now) >= ORDER.index(job.state)
        for effect in effects:
            self.check_effect(effect)

    def check_effect(self, effect: Effect) -> None:
        match effect:
            case Submit(stages):
                assert stages
                for stage in stages:
                    self.ask_once(f"submit {stage} {self.run.jobs[stage].attempt}")
                    assert all(self.run.jobs[other].state in WELL for other in self.graph[stage])
                    assert self.run.jobs[stage].state == "submitted"
                    assert self.run.cancelled_by is None
            case Resolve(stage):
                self.ask_once(f"resolve {stage}")
                assert self.run.jobs[stage].state == "resolving"
                assert all(self.run.jobs[other].state in WELL for other in self.graph[stage])
            case CancelJobs(stages):
                self.ask_once("cancel")
                assert set(stages) == {s for s, job in self.run.jobs.items() if job.state in AT_BACKEND}
            case Record(outcome):
                self.ask_once("record")
                assert self.run.state == "recording"
                assert outcome == self.outcome()
            case Prepare():
                self.ask_once("prepare")
            case Collect(stage, _):
                assert self.run.jobs[stage].state == "collecting"

    def ask_once(self, what: str) -> None:
        self.asked[what] += 1
        assert self.asked[what] == 1, what

    def outcome(self) -> str:
        if self.run.cancelled_by is not None:
            return "cancelled"
        failed = any(job.state == "failed" for job in self.run.jobs.values())
        unprepared = any(isinstance(event, PreparationFailed) for event in self.history)
        return "failed" if failed or (unprepared and not self.run.jobs) else "succeeded"

    # What the world may do

    @rule(target=events, data=st.data(), steps=st.integers(1, 4))
    def goes_on(self, data: st.DataObject, steps: int) -> MultipleResults[Event]:
        """Effects are performed, with good or bad answers; the backend tells of jobs, maybe once more."""
        happened: list[Event] = []
        for _ in range(steps):
            choices: list[Effect | str] = [*self.todo, *sorted(self.backend)]
            if choices:
                at = data.draw(st.integers(0, len(choices) - 1))
                chosen = choices[at]
                if isinstance(chosen, str):
                    news = data.draw(st.sampled_from(["started", "ended", "ended", "refused", "lost"]))
                    happened.append(self.told(chosen, news))
                else:
                    del self.todo[at]
                    happened += self.done(chosen, is_well=data.draw(RARELY_NOT))
        return multiple(*happened)

    def done(self, effect: Effect, *, is_well: bool) -> list[Event]:
        match effect:
            case Prepare():
                return [self.happen(self.planned() if is_well else PreparationFailed("no lock"))]
            case Resolve(stage):
                reused = "OLD" if stage in self.known else None
                event = Resolved(Decision(stage, f"f-{stage}", reused)) if is_well else JobFailed(stage, "?")
                return [self.happen(event)]
            case Submit(stages):
                for stage in stages:
                    self.backend.setdefault(stage, None)
                return []
            case Collect(stage, exit_record):
                if exit_record.cause == "cancelled":
                    return [self.happen(JobFailed(stage, "cancelled"))]
                return [self.happen(JobCollected(stage) if is_well else JobFailed(stage, "exit code 1"))]
            case CancelJobs(stages):
                for stage in stages:
                    if self.backend.get(stage) is None:
                        self.backend[stage] = ExitRecord(cause="cancelled")
                return []
            case Record(_):
                return [self.happen(Recorded("c" * 40, True))]

    def planned(self) -> Planned:
        decided = [
            stage
            for stage, above in self.graph.items()
            if all(other in self.known for other in self.above(stage))
        ]
        return Planned(
            self.graph,
            tuple(Decision(s, f"f-{s}", "OLD" if s in self.known else None) for s in decided),
        )

    def above(self, stage: str) -> set[str]:
        found: set[str] = set()
        for other in self.graph[stage]:
            found |= {other} | self.above(other)
        return found

    def told(self, stage: str, news: str) -> Event:
        attempt = self.run.jobs[stage].attempt
        if news == "started":
            return self.happen(JobStarted(stage, "17", attempt))
        if news == "refused" and self.backend[stage] is None:
            del self.backend[stage]
            return self.happen(JobRefused(stage, "too large"))
        ending = ExitRecord(cause="vanished") if news == "lost" else ExitRecord(code=0)
        self.backend[stage] = ended = self.backend[stage] or ending
        event = self.happen(JobEnded(stage, ended, attempt))
        if self.run.jobs[stage].attempt > attempt:
            assert ended.cause == "vanished"
            self.backend[stage] = None
        return event

    @rule(event=events)
    def happens_again(self, event: Event) -> None:
        self.happen(event)

    @rule(
        target=events, by=st.sampled_from(["ana", "ben"]), is_not_meant=st.sampled_from([True, True, False])
    )
    def cancel(self, by: str, is_not_meant: bool) -> MultipleResults[Event]:
        return multiple() if is_not_meant else multiple(self.happen(CancelRequested(by)))

    @rule()
    def restart(self) -> None:
        """The dispatcher is killed: what it had not done yet is gone, except what the events tell."""
        replayed = Run("R")
        for event in self.history:
            replayed, _ = advance(replayed, event)
        assert replayed == self.run
        self.run = replayed
        self.todo = list(effects_due(replayed))
        at_backend = {stage for stage, job in replayed.jobs.items() if job.state in AT_BACKEND}
        asked = {stage for effect in self.todo if isinstance(effect, CancelJobs) for stage in effect.stages}
        assert asked == (at_backend if replayed.cancelled_by is not None else set())
        for stage, job in replayed.jobs.items():
            if job.state in AT_BACKEND | {"collecting"}:
                self.backend.setdefault(stage, None)

    def teardown(self) -> None:
        """Whatever happened, going on leads to an end."""
        if not hasattr(self, "run"):
            return
        self.restart()
        for _ in range(10 * len(self.graph) + 10):
            while self.todo:
                self.done(self.todo.pop(0), is_well=True)
            for stage in list(self.backend):
                if self.run.jobs[stage].state in AT_BACKEND | {"collecting"}:
                    self.told(stage, "ended")
        assert self.run.state == self.outcome()
        assert self.asked["record"] == 1
        self.whole()

    def whole(self) -> None:
        """What holds at every moment."""
        run, jobs = self.run, self.run.jobs
        settled = {stage for stage, job in jobs.items() if job.state in SETTLED_JOB_STATES}
        assert run.unsettled == len(jobs) - len(settled)
        assert (run.state == "running") == (bool(jobs) and len(settled) < len(jobs))
        assert (self.asked["record"] == 1) == (run.state in FINAL_RUN_STATES | {"recording"})
        for stage, job in jobs.items():
            not_well = [other for other in self.graph[stage] if jobs[other].state not in WELL]
            failed_above = {other for other in self.above(stage) if jobs[other].state == "failed"}
            if job.state not in ("cached",):
                assert job.waits_for == len(not_well)
            assert (job.state == "waiting") <= bool(not_well), "nothing left to wait for, and nobody told it"
            if run.cancelled_by is None:
                assert (job.state == "blocked") == bool(failed_above)
                assert job.state != "cancelled"
            else:
                assert job.state not in ("waiting", "resolving")
                assert (job.state == "blocked") <= bool(failed_above)
            if job.state in ("failed", "blocked", "cancelled"):
                assert job.cause
            if job.cause == "cancelled":
                assert job.state == "cancelled"
        for event in self.history:
            stage_of = event.decision.stage if isinstance(event, Resolved) else getattr(event, "stage", None)
            if stage_of in settled:
                assert advance(run, event) == (run, ())
        if jobs:
            assert run.has_failed == any(job.state == "failed" for job in jobs.values())


RunLife.TestCase.settings = settings(
    max_examples=80, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestRunLife = RunLife.TestCase
