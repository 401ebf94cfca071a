"""The event log: real logs of each kind of end, cut anywhere, broken anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.htcondor.eventlog import EventLog
from lockgate.backends.htcondor.events import Story, split_log, tell
from lockgate.backends.htcondor.seeing import seen_of_story
from lockgate.backends.system import Seen
from lockgate.project.pipeline import Resources

GOLDEN = Path(__file__).parents[2] / "golden/htcondor/25.14"
ASKED = Resources(memory_bytes=30_000_000)


def stories(name: str) -> dict[str, Story]:
    events, length = split_log((GOLDEN / f"{name}.xml").read_bytes())
    assert length == (GOLDEN / f"{name}.xml").stat().st_size
    return tell({}, events)


def seen(name: str) -> Seen:
    (story,) = stories(name).values()
    return seen_of_story(story, ASKED)


def held(code: int, subcode: int, reason: str) -> Story:
    return Story(state="held", starts=1, code=code, subcode=subcode, reason=reason)


def test_jobs_that_ended_by_themselves() -> None:
    told = list(stories("events").values())
    assert [each.state for each in told] == ["done"] * 3
    assert [(each.exit_code, each.signal) for each in told] == [(3, None), (None, 9), (0, None)]
    assert all(each.key == "lg-key-1" and each.starts == 1 for each in told)
    assert told[2].peak_bytes is not None and 1_000_000 < told[2].peak_bytes < 10_000_000
    assert told[2].started_at is not None and told[2].ended_at is not None
    assert 0.5 < told[2].ended_at - told[2].started_at < 3


@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [
        ("evict", "vanished", "HTCondor took it off its worker on slot1_1@"),
        ("held", "vanished", "somebody put it on hold (look <here> & there (by user lockgate-test))"),
        ("heldidle", "cancelled", "removed by condor: clean up"),
        ("sched", "cancelled", "removed by lockgate-test"),
        ("starter", "vanished", "Job not found at execution machine"),
        ("shadow", "vanished", "started it a second time"),
        ("duration", "walltime", "it ran for longer than allowed (The job exceeded"),
        ("policy", "vanished", "(too big)"),
    ],
)
def test_jobs_that_were_ended(name: str, cause: str, words: str) -> None:
    said = seen(name)
    assert said.state == "ended" and said.exit is not None
    assert said.exit.cause == cause
    assert said.exit.detail is not None and words in said.exit.detail


def test_a_job_held_before_it_began_waits_and_says_why() -> None:
    events, _ = split_log((GOLDEN / "nofolder.xml").read_bytes())
    (story,) = tell({}, events[:2]).values()
    said = seen_of_story(story, ASKED)
    assert said.state == "pending"
    assert said.reason.startswith("held: its folder is not there")
    assert "/tmp/htcx/gone" in said.reason


def test_a_job_that_is_carried_says_so() -> None:
    events, _ = split_log((GOLDEN / "carried.xml").read_bytes())
    said = []
    for count in range(1, len(events) + 1):
        (story,) = tell({}, events[:count]).values()
        said.append((story.state, story.is_carrying))
    assert said[0] == ("idle", "")
    assert said[1] == ("idle", "input")
    assert said[3] == ("running", "")
    assert ("running", "output") in said
    assert said[-1][0] == "done"


def test_a_schedd_that_died_is_told_while_the_job_runs() -> None:
    events, _ = split_log((GOLDEN / "sched.xml").read_bytes())
    told = []
    for count in range(1, len(events) + 1):
        (story,) = tell({}, events[:count]).values()
        told.append(seen_of_story(story, ASKED))
    running = [each for each in told if each.state == "running"]
    assert any("lost contact" in each.reason for each in running)
    assert running[-1].reason == "" and told[-1].state == "ended"


def test_memory_that_the_pool_enforces() -> None:
    reason = (
        "Error from slot1_1@node7: Job has gone over cgroup memory limit of 128 megabytes. "
        "Last measured usage: 120 megabytes.  Consider resubmitting with a higher request_memory."
    )
    said = seen_of_story(held(34, 102, reason), ASKED)
    assert said.exit is not None and said.exit.cause == "memory"
    peak = reason.replace("Last measured usage: 120", "Peak usage: 129")
    said = seen_of_story(held(34, 102, peak), ASKED)
    assert said.exit is not None and said.exit.detail == "killed at 135 MB, asked for 30.0 MB"


def test_disk_is_not_memory() -> None:
    said = seen_of_story(held(34, 104, "Job has exceeded its disk"), ASKED)
    assert said.exit is not None and said.exit.cause == "vanished"
    assert said.exit.detail is not None and "more disk than it asked for" in said.exit.detail


def test_an_event_nobody_knows_is_no_guess() -> None:
    told = tell({}, [{"EventTypeNumber": 99, "MyType": "MoonEvent", "Cluster": 1, "Proc": 0}])
    said = seen_of_story(told["1.0"], ASKED)
    assert said.state == "unknown" and "MoonEvent" in said.reason


def test_an_id_used_again_is_another_job() -> None:
    first: dict[str, str | int | float | bool | None] = {
        "EventTypeNumber": 0,
        "Cluster": 1,
        "Proc": 0,
        "UserNotes": "lg-a",
    }
    ended = {"EventTypeNumber": 5, "Cluster": 1, "Proc": 0, "TerminatedNormally": True, "ReturnValue": 0}
    told = tell({}, [first, ended, first | {"UserNotes": "lg-b"}])
    assert told["1.0"] == Story(key="lg-b")


def test_a_shadow_that_failed_before_the_job_began_changes_nothing() -> None:
    told = tell(
        {},
        [
            {"EventTypeNumber": 0, "Cluster": 1, "Proc": 0, "UserNotes": "lg-a"},
            {"EventTypeNumber": 7, "Cluster": 1, "Proc": 0},
            {"EventTypeNumber": 4, "Cluster": 1, "Proc": 0, "Reason": "no"},
        ],
    )
    assert told["1.0"].state == "idle"


LOGS = b"".join((GOLDEN / f"{name}.xml").read_bytes() for name in ("events", "held", "sched"))


@given(st.lists(st.integers(0, len(LOGS)), max_size=6))
def test_a_log_read_in_pieces_is_the_same(cuts: list[int]) -> None:
    told: dict[str, Story] = {}
    begin = 0
    for end in [*sorted(cuts), len(LOGS)]:
        events, length = split_log(LOGS[begin:end])
        told = tell(told, events)
        begin += length
    assert begin == len(LOGS)
    assert told == tell({}, split_log(LOGS)[0])


@given(st.integers(0, len(LOGS) - 1), st.binary(max_size=40))
def test_what_a_crash_left_in_the_midst_costs_few_events(at: int, rubbish: bytes) -> None:
    whole, _ = split_log(LOGS)
    events, _ = split_log(LOGS[:at] + rubbish + LOGS[at:])
    assert len(whole) - 2 <= len(events) <= len(whole)


@given(st.binary(max_size=300))
def test_rubbish_is_no_event(data: bytes) -> None:
    _, length = split_log(data)
    assert length <= len(data)


def test_an_event_cut_short_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    data = (GOLDEN / "evict.xml").read_bytes()
    half = data[: data.index(b"</c>\n</c>") if b"</c>\n</c>" in data else 300]
    path = tmp_path / "log"
    path.write_bytes(half)
    log = EventLog(str(path))
    log.read_on()
    path.write_bytes(half + b"\n" + data)
    assert log.read_on()
    assert [each.state for each in log.stories.values()] == ["evicted"]


def test_a_log_that_is_not_there_tells_nothing(tmp_path: Path) -> None:
    log = EventLog(str(tmp_path / "none"))
    assert not log.read_on() and not log.stories


def test_a_log_is_read_on_and_only_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(LOGS[:-1])
    log = EventLog(str(path))
    assert log.read_on() and not log.read_on()
    path.write_bytes(LOGS)
    assert log.read_on() and not log.read_on()


def test_a_log_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(LOGS)
    log = EventLog(str(path))
    log.read_on()
    path.unlink()
    path.write_bytes((GOLDEN / "evict.xml").read_bytes())
    assert log.read_on()
    assert [each.state for each in log.stories.values()] == ["evicted"]
