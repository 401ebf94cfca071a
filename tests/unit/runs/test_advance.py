"""How events move a run: one plain example a transition, every event in every state."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.errors import OutsideError
from lockgate.runs.advance import advance, effects_due
from lockgate.runs.job import ExitRecord
from lockgate.runs.run import (
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

GOOD = ExitRecord(code=0)
RECORDED = Recorded("c" * 40, True)


def play(*events: Event, run: Run | None = None) -> tuple[Run, tuple[Effect, ...]]:
    """Return the run after these events, and what the last of them asked for."""
    run = run or Run("R")
    effects: tuple[Effect, ...] = ()
    for event in events:
        run, effects = advance(run, event)
    return run, effects


def states(run: Run) -> dict[str, str]:
    return {stage: job.state for stage, job in run.jobs.items()}


def planned(upstream: dict[str, tuple[str, ...]], *, reused: tuple[str, ...] = ()) -> Planned:
    """Plan as the planner does: a stage whose upstream stages are all reused is decided at once."""
    decisions = tuple(
        Decision(stage, f"f-{stage}", "OLD" if stage in reused else None)
        for stage, above in upstream.items()
        if all(other in reused for other in above)
    )
    return Planned(upstream, decisions)


def good(stage: str) -> tuple[Event, ...]:
    return JobStarted(stage, "1"), JobEnded(stage, GOOD), JobCollected(stage)


# `a` under test stands between `up` and `down`; `by` keeps the run going whatever becomes of them.
GRAPH: dict[str, tuple[str, ...]] = {"up": (), "a": ("up",), "down": ("a",), "by": ()}
START: tuple[Event, ...] = (PrepareStarted(), planned(GRAPH))
RESOLVED = Resolved(Decision("a", "f-a"))
REUSED = Resolved(Decision("a", "f-a", "OLD"))
REFUSED, STARTED = JobRefused("a", "too large"), JobStarted("a", "17")
ENDED, COLLECTED, FAILED = JobEnded("a", GOOD), JobCollected("a"), JobFailed("a", "exit code 1")

WAYS: dict[str, tuple[Event, ...]] = {
    "waiting": START,
    "resolving": (*START, *good("up")),
    "submitted": (*START, *good("up"), RESOLVED),
    "running": (*START, *good("up"), RESOLVED, STARTED),
    "collecting": (*START, *good("up"), RESOLVED, STARTED, ENDED),
    "succeeded": (*START, *good("up"), RESOLVED, STARTED, ENDED, COLLECTED),
    "cached": (*START, *good("up"), REUSED),
    "failed": (*START, *good("up"), RESOLVED, FAILED),
    "blocked": (*START, JobFailed("up", "exit code 1")),
    "cancelled": (*START, CancelRequested("ana")),
}

#: (event, state of `a`) → what `a` becomes and what is asked for; every other pair changes nothing.
MOVES: dict[tuple[str, str], tuple[str, tuple[Effect, ...]]] = {
    ("resolved", "resolving"): ("submitted", (Submit(("a",)),)),
    ("reused", "resolving"): ("cached", (Resolve("down"),)),
    ("refused", "submitted"): ("failed", ()),
    ("refused", "running"): ("failed", ()),
    ("started", "submitted"): ("running", ()),
    ("ended", "submitted"): ("collecting", (Collect("a", GOOD),)),
    ("ended", "running"): ("collecting", (Collect("a", GOOD),)),
    ("ended", "collecting"): ("collecting", (Collect("a", GOOD),)),
    ("collected", "collecting"): ("succeeded", (Resolve("down"),)),
    ("failed", "resolving"): ("failed", ()),
    ("failed", "submitted"): ("failed", ()),
    ("failed", "running"): ("failed", ()),
    ("failed", "collecting"): ("failed", ()),
}
EVENTS: dict[str, Event] = {
    "resolved": RESOLVED,
    "reused": REUSED,
    "refused": REFUSED,
    "started": STARTED,
    "ended": ENDED,
    "collected": COLLECTED,
    "failed": FAILED,
}


@pytest.mark.parametrize("state", WAYS)
def test_every_way_leads_to_its_state(state: str) -> None:
    run, _ = play(*WAYS[state])
    assert run.state == "running"
    assert run.jobs["a"].state == state


@pytest.mark.parametrize("state", WAYS)
@pytest.mark.parametrize("name", EVENTS)
def test_every_job_event_in_every_job_state(name: str, state: str) -> None:
    before, _ = play(*WAYS[state])
    after, effects = advance(before, EVENTS[name])
    if (name, state) not in MOVES:
        assert (after, effects) == (before, ())
        return
    becomes, asked = MOVES[name, state]
    assert (after.jobs["a"].state, effects) == (becomes, asked)
    below = {"succeeded": "resolving", "cached": "resolving", "failed": "blocked"}.get(becomes, "waiting")
    assert after.jobs["down"].state == below
    assert after.jobs["by"] == before.jobs["by"]
    assert after.has_failed == (becomes == "failed")


@pytest.mark.parametrize(
    "event",
    [
        JobStarted("who", "1"),
        JobEnded("who", GOOD),
        JobCollected("who"),
        JobFailed("who", "?"),
        JobRefused("who", "?"),
        Resolved(Decision("who", "f")),
    ],
)
def test_an_event_of_a_stage_that_is_not_there_changes_nothing(event: Event) -> None:
    run, _ = play(*START)
    assert advance(run, event) == (run, ())
    assert advance(Run("R"), event) == (Run("R"), ())


RUN_WAYS: dict[str, tuple[Event, ...]] = {
    "queued": (),
    "preparing": (PrepareStarted(),),
    "running": START,
    "recording": (PrepareStarted(), PreparationFailed("no lock")),
    "succeeded": (PrepareStarted(), Planned({}, ()), RECORDED),
    "failed": (PrepareStarted(), PreparationFailed("no lock"), RECORDED),
    "cancelled": (CancelRequested("ana"), RECORDED),
}
RUN_MOVES: dict[tuple[str, str], tuple[str, tuple[Effect, ...]]] = {
    ("prepare-started", "queued"): ("preparing", (Prepare(),)),
    ("preparation-failed", "preparing"): ("recording", (Record("failed"),)),
    ("planned", "preparing"): ("running", (Submit(("up", "by")),)),
    ("cancel-requested", "queued"): ("recording", (Record("cancelled"),)),
    ("cancel-requested", "preparing"): ("recording", (Record("cancelled"),)),
    ("cancel-requested", "running"): ("running", (CancelJobs(("up", "by")),)),
    ("recorded", "recording"): ("failed", ()),
}
RUN_EVENTS: dict[str, Event] = {
    "prepare-started": PrepareStarted(),
    "preparation-failed": PreparationFailed("no lock"),
    "planned": planned(GRAPH),
    "cancel-requested": CancelRequested("ana"),
    "recorded": RECORDED,
    "collected": COLLECTED,
}


@pytest.mark.parametrize("state", RUN_WAYS)
@pytest.mark.parametrize("name", RUN_EVENTS)
def test_every_run_event_in_every_run_state(name: str, state: str) -> None:
    before, _ = play(*RUN_WAYS[state])
    assert before.state == state
    after, effects = advance(before, RUN_EVENTS[name])
    if (name, state) not in RUN_MOVES:
        assert (after, effects) == (before, ())
        return
    assert (after.state, effects) == RUN_MOVES[name, state]


def test_a_plan_lays_out_the_graph_both_ways() -> None:
    run, effects = play(PrepareStarted(), planned(GRAPH))
    assert effects == (Submit(("up", "by")),)
    assert run.graph.upstream == GRAPH
    assert run.graph.dependents == {"up": ("a",), "a": ("down",), "down": (), "by": ()}
    assert {stage: job.waits_for for stage, job in run.jobs.items()} == {"up": 0, "a": 1, "down": 1, "by": 0}
    assert run.jobs["up"].fingerprint == "f-up"
    assert run.unsettled == 4


def test_a_plan_of_nothing_is_recorded_at_once() -> None:
    run, effects = play(PrepareStarted(), Planned({}, ()))
    assert (run.state, effects) == ("recording", (Record("succeeded"),))


def test_a_plan_all_known_is_recorded_at_once() -> None:
    run, effects = play(PrepareStarted(), planned(GRAPH, reused=tuple(GRAPH)))
    assert set(states(run).values()) == {"cached"}
    assert effects == (Record("succeeded"),)
    assert run.unsettled == 0
    assert run.jobs["down"].reused_from == "OLD"


def test_what_lies_under_reused_stages_and_was_not_decided_is_resolved() -> None:
    upstream: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",)}
    run, effects = play(PrepareStarted(), Planned(upstream, (Decision("a", "f", "OLD"),)))
    assert states(run) == {"a": "cached", "b": "resolving"}
    assert effects == (Resolve("b"),)


def test_what_was_decided_under_reused_stages_is_resolved_before_it_is_submitted() -> None:
    upstream: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",)}
    run, effects = play(PrepareStarted(), planned(upstream, reused=("a",)))
    assert states(run) == {"a": "cached", "b": "resolving"}
    assert effects == (Resolve("b"),)


def test_a_stage_waits_for_all_its_upstream_stages() -> None:
    diamond: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    run, effects = play(PrepareStarted(), planned(diamond), *good("a"))
    assert effects == (Resolve("b"), Resolve("c"))
    run, effects = play(Resolved(Decision("b", "f")), Resolved(Decision("c", "f")), *good("b"), run=run)
    assert (states(run)["d"], effects) == ("waiting", ())
    run, effects = play(*good("c"), run=run)
    assert (states(run)["d"], effects) == ("resolving", (Resolve("d"),))
    run, effects = play(Resolved(Decision("d", "f")), *good("d"), run=run)
    assert (run.state, effects) == ("recording", (Record("succeeded"),))
    assert play(RECORDED, run=run)[0].state == "succeeded"


def test_a_failure_blocks_everything_below_and_nothing_beside() -> None:
    upstream: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("b",), "d": ("c", "x"), "x": ()}
    run, effects = play(PrepareStarted(), planned(upstream), JobFailed("a", "exit code 1"))
    assert states(run) == {"a": "failed", "b": "blocked", "c": "blocked", "d": "blocked", "x": "submitted"}
    assert run.jobs["d"].cause == "a failed"
    assert run.cause == "a: exit code 1"
    assert effects == ()
    run, effects = play(*good("x"), run=run)
    assert states(run)["d"] == "blocked"
    assert effects == (Record("failed"),)
    assert play(RECORDED, run=run)[0].state == "failed"


def test_the_first_failure_is_the_runs_cause() -> None:
    run, _ = play(
        PrepareStarted(), planned({"a": (), "b": ()}), JobFailed("a", "first"), JobFailed("b", "second")
    )
    assert run.cause == "a: first"


LOST = ExitRecord(cause="vanished", detail="its node failed")


def test_a_job_its_backend_lost_is_submitted_once_more() -> None:
    run, effects = play(PrepareStarted(), planned({"a": ()}), JobStarted("a", "1"), JobEnded("a", LOST))
    assert effects == (Submit(("a",)),)
    job = run.jobs["a"]
    assert (job.state, job.attempt, job.native_id, job.fingerprint) == ("submitted", 2, None, "f-a")
    again, effects = play(JobEnded("a", LOST), JobStarted("a", "1"), run=run)
    assert again == run and effects == ()
    run, effects = play(JobStarted("a", "2", 2), JobEnded("a", LOST, 2), run=run)
    assert effects == (Collect("a", LOST),)


def test_a_lost_job_of_a_cancelled_run_is_not_submitted_again() -> None:
    _, effects = play(PrepareStarted(), planned({"a": ()}), CancelRequested("ana"), JobEnded("a", LOST))
    assert effects == (Collect("a", LOST),)


def test_cancelling_ends_what_waits_and_what_runs() -> None:
    run, effects = play(*WAYS["running"], CancelRequested("ana"))
    assert effects == (CancelJobs(("a", "by")),)
    assert states(run) == {"up": "succeeded", "a": "running", "down": "cancelled", "by": "submitted"}
    assert run.jobs["down"].cause == run.cause == "cancelled by ana"
    run, effects = play(JobFailed("a", "cancelled"), JobFailed("by", "cancelled"), run=run)
    assert states(run)["a"] == "cancelled"
    assert effects == (Record("cancelled"),)
    run, _ = play(RECORDED, run=run)
    assert (run.state, run.has_failed) == ("cancelled", False)


def test_cancelling_where_nothing_is_at_a_backend_ends_the_run() -> None:
    upstream: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",)}
    run, _ = play(PrepareStarted(), planned(upstream), *good("a"))
    run, effects = advance(run, CancelRequested("ana"))
    assert states(run) == {"a": "succeeded", "b": "cancelled"}
    assert (run.state, effects) == ("recording", (Record("cancelled"),))


def test_cancelling_waits_for_what_is_being_collected() -> None:
    run, effects = play(PrepareStarted(), planned({"a": ()}), JobEnded("a", GOOD), CancelRequested("ana"))
    assert (run.state, effects) == ("running", ())
    run, effects = play(JobCollected("a"), run=run)
    assert effects == (Record("cancelled"),)
    assert states(run) == {"a": "succeeded"}


def test_a_second_cancellation_asks_for_nothing() -> None:
    run, _ = play(*START, CancelRequested("ana"))
    assert advance(run, CancelRequested("ben")) == (run, ())


def test_a_job_that_fails_of_itself_while_cancelled_has_failed() -> None:
    run, _ = play(*WAYS["running"], CancelRequested("ana"), FAILED)
    assert (states(run)["a"], states(run)["down"]) == ("failed", "cancelled")
    run, _ = play(JobFailed("by", "cancelled"), RECORDED, run=run)
    assert run.state == "cancelled"


def test_a_job_ended_from_outside_as_cancelled_has_failed() -> None:
    run, _ = play(*WAYS["running"], JobFailed("a", "cancelled"))
    assert states(run)["a"] == "failed"
    assert states(run)["down"] == "blocked"


def test_the_record_stays_with_the_run() -> None:
    run, _ = play(*RUN_WAYS["succeeded"])
    assert (run.result_commit, run.has_moved_branch) == ("c" * 40, True)


def test_a_run_taken_over_goes_on() -> None:
    assert effects_due(Run("R")) == ()
    assert effects_due(play(PrepareStarted())[0]) == (Prepare(),)
    assert effects_due(play(*WAYS["resolving"])[0]) == (Resolve("a"),)
    assert effects_due(play(*WAYS["running"])[0]) == ()
    assert effects_due(play(*WAYS["running"], CancelRequested("ana"))[0]) == (CancelJobs(("a", "by")),)
    assert effects_due(play(PrepareStarted(), PreparationFailed("?"))[0]) == (Record("failed"),)
    assert effects_due(play(CancelRequested("ana"))[0]) == (Record("cancelled"),)
    assert effects_due(play(PrepareStarted(), Planned({}, ()))[0]) == (Record("succeeded"),)
    assert effects_due(play(*RUN_WAYS["succeeded"])[0]) == ()


def test_an_event_of_a_newer_version_is_told() -> None:
    class Paused(msgspec.Struct, frozen=True):
        by: str

    with pytest.raises(OutsideError, match="unknown kind Paused") as caught:
        advance(Run("R"), Paused("ana"))  # type: ignore[arg-type]
    assert caught.value.code == "event-unknown"
