"""What a member reads while a run goes on, and the receipt before it."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.hub.indexing.rows import Request
from lockgate.hub.pushing.receipt import NAMED_AT_MOST, _stage_lines, receipt
from lockgate.hub.running.follow import Followed, Progress, ending, lines_of
from lockgate.runs.job import ExitRecord
from lockgate.runs.plan import PlannedStage
from lockgate.runs.record import StageRecord
from lockgate.runs.run import (
    Decision,
    Event,
    JobCollected,
    JobEnded,
    JobFailed,
    JobRefused,
    JobStarted,
    Planned,
    PrepareStarted,
    Resolved,
)

RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def told(progress: Progress) -> list[str]:
    return list(lines_of(progress, is_json=False))


@pytest.mark.parametrize(
    ("progress", "lines"),
    [
        (Progress("preparing", RUN), ["run Q69G5FAV  preparing"]),
        (Progress("planned", RUN, total=3), []),
        (Progress("cached", RUN, "a", "from run OLD", 1, 3), ["a  cached from run OLD"]),
        (Progress("running", RUN, "a", "", 1, 3), ["a  running"]),
        (Progress("progress", RUN, "a", "stage 1 of 2", 0, 3), ["a  stage 1 of 2"]),
        (Progress("progress", RUN, "a", "stage 1 of 2", 100, 1000), []),
        (Progress("done", RUN, "a", "3 s", 1, 3), ["a  done in 3 s"]),
        (Progress("failed", RUN, "a", "exit code 1", 1, 3), ["a  FAILED: exit code 1"]),
        (Progress("failed", RUN, "a", "exit code 1", 1, 1000), ["a  FAILED: exit code 1"]),
        (Progress("done", RUN, "a", "3 s", 100, 1000), ["run Q69G5FAV  100 of 1000 stages settled"]),
        (Progress("cached", RUN, "a", "x", 101, 1000), []),
        (Progress("running", RUN, "a", "", 100, 1000), []),
        (Progress("planned", RUN, total=1000), []),
    ],
)
def test_lines(progress: Progress, lines: list[str]) -> None:
    assert told(progress) == lines


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress("ended", RUN, state="succeeded", seconds=3.0), "run Q69G5FAV SUCCEEDED in 3.0 s"),
        (
            Progress(
                "ended", RUN, state="succeeded", seconds=75, result_commit="c" * 40, has_moved_branch=True
            ),
            "run Q69G5FAV SUCCEEDED in 1 min 15 s; results are on the branch: git pull (cccccccccc)",
        ),
        (
            Progress("ended", RUN, state="succeeded", result_commit="c" * 40),
            "run Q69G5FAV SUCCEEDED in 0.0 s; results (cccccccccc)",
        ),
        (
            Progress("ended", RUN, None, "a: exit code 1", state="failed", seconds=3, result_commit="c" * 40),
            "run Q69G5FAV FAILED in 3.0 s: a: exit code 1",
        ),
        (Progress("ended", RUN, state="cancelled", seconds=3), "run Q69G5FAV CANCELLED in 3.0 s"),
    ],
)
def test_endings(progress: Progress, line: str) -> None:
    assert ending(progress) == line
    assert told(progress) == [line]


def test_for_a_program_each_is_one_line_of_json() -> None:
    progress = Progress("failed", RUN, "a", "two\nlines é", 1, 3)
    (line,) = lines_of(progress, is_json=True)
    assert "\n" not in line
    assert msgspec.json.decode(line.removeprefix("lockgate-json: "), type=Progress) == progress


def test_events_are_told_with_times_and_counts() -> None:
    followed = Followed(RUN)
    events: list[Event] = [
        PrepareStarted(),
        Planned({"a": (), "b": ("a",), "c": (), "d": ()}, (Decision("a", "f", RUN), Decision("c", "g"))),
        Resolved(Decision("b", "h", RUN)),
        Resolved(Decision("x", "h")),
        JobStarted("c", "1"),
        JobEnded("c", ExitRecord(code=0, started_at=100.0, ended_at=102.0)),
        JobCollected("c"),
        JobRefused("d", "too large"),
        JobFailed("e", "exit code 1"),
    ]
    found = [progress for event in events for progress in followed.tell(event)]
    assert [(p.kind, p.stage, p.words, p.settled, p.total) for p in found] == [
        ("preparing", None, "", 0, 0),
        ("planned", None, "", 0, 4),
        ("cached", "a", "from run Q69G5FAV", 1, 4),
        ("cached", "b", "from run Q69G5FAV", 2, 4),
        ("running", "c", "", 2, 4),
        ("done", "c", "2.0 s", 3, 4),
        ("failed", "d", "too large", 4, 4),
        ("failed", "e", "exit code 1", 5, 4),
    ]


# The receipt


def request(ref: str) -> Request:
    return Request(id=RUN, project="flights", ref=ref, commit="abcdef0123456789", member="ana")


def test_a_receipt_of_a_branch() -> None:
    assert list(receipt(request("refs/heads/main"), ("one", "two"))) == [
        "run Q69G5FAV · flights · main @ abcdef0123",
        "  one",
        "  two",
        "  follow: lockgate logs Q69G5FAV -f   results: git pull hub main",
    ]


def test_a_receipt_of_a_work_tree() -> None:
    first, last = receipt(request(f"refs/lockgate/snapshots/ana/{RUN}"), ())
    assert first == "run Q69G5FAV · flights · your work tree @ abcdef0123"
    assert last.endswith("results: lockgate fetch Q69G5FAV")


KNOWN = StageRecord(
    stage="a", fingerprint="f", run=RUN, commit="c", member="m", ended_at="", command="", runtime=""
)


def test_each_stage_with_its_reason() -> None:
    stages = (
        PlannedStage("prepare", "cached from run Q69G5FAV", "f", KNOWN),
        PlannedStage("train", "parameter depth 4 → 5", "g"),
        PlannedStage("report", "after train"),
    )
    assert list(_stage_lines(stages)) == [
        "prepare  cached from run Q69G5FAV",
        "train    will run: parameter depth 4 → 5",
        "report   runs if needed after train",
    ]


def test_of_many_stages_those_that_run_are_named() -> None:
    cached = tuple(PlannedStage(f"c{n}", "cached", "f", KNOWN) for n in range(1000))
    running = tuple(PlannedStage(f"r{n}", "never run", "f") for n in range(5))
    lines = list(_stage_lines(cached + running))
    assert len(lines) == NAMED_AT_MOST + 1
    assert [line for line in lines if line.startswith("r")] == [
        f"r{n:<3} will run: never run" for n in range(5)
    ]
    assert lines[-1] == "… and 985 more: 5 to run, 1000 cached in all"
