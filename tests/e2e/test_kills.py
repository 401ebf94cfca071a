"""Killed at any instant and started again: no run is lost, none is done twice."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e_place import Place, WorkTree, commands, until

pytestmark = pytest.mark.slow

#: Each stage leaves one line outside of its workspace each time it runs, waits at its gate, and makes
#: enough that collecting it can be seen.
PIPELINE = """\
[data]
result_limit = "10 kB"

[stages.first]
run = "echo first $LOCKGATE_RUN >> {outside}/ran; until [ -e {outside}/gate ]; do sleep 0.02; done; cat i > o"
needs = ["i"]
makes = ["o"]

[stages.large]
run = "echo large $LOCKGATE_RUN >> {outside}/ran; head -c 60000000 /dev/zero > big; cat i o > p"
needs = ["i", "o"]
makes = ["big", "p"]

[stages.last]
run = "echo last $LOCKGATE_RUN >> {outside}/ran; cat p > q"
needs = ["p"]
makes = ["q"]
"""


def ran(place: Place) -> list[str]:
    path = place.outside / "ran"
    return path.read_text().splitlines() if path.exists() else []


def is_whole(place: Place, tree: WorkTree) -> None:
    """Every run ended well, once; every stage ran once; the branch has the last result."""
    place.start_dispatcher()
    place.settle()
    rows = place.runs()
    assert [row.state for row in rows] == ["succeeded"] * len(rows), [row.cause for row in rows]
    assert sorted(place.finished()) == sorted(row.request.id for row in rows)
    assert len(ran(place)) == len(set(ran(place))), ran(place)
    assert place.on_hub("for-each-ref", "refs/lockgate/queue") == ""
    assert place.on_hub("fsck", "--no-dangling") == ""
    tree.pull()
    assert tree.read("q") == tree.read("i") * 2


def begin(place: Place, *, is_open: bool) -> WorkTree:
    tree = place.project({"lockgate.toml": PIPELINE.format(outside=place.outside), "i": "1\n"})
    if is_open:
        (place.outside / "gate").touch()
    return tree


def kill_when(place: Place, condition: Callable[[], object], what: str) -> bool:
    """Kill the dispatcher as soon as the condition holds; return whether it was met before the end."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        if place.runs() and place.is_idle():
            return False
        time.sleep(0.001)
    return place.kill_dispatcher()


def run_state(place: Place) -> str:
    rows = place.runs()
    return rows[-1].state if rows else ""


@pytest.mark.parametrize("state", ["queued", "preparing", "running", "recording"])
def test_a_dispatcher_killed_in_a_runs_state_loses_and_repeats_nothing(place: Place, state: str) -> None:
    # These two may be over between two looks: then the run goes on to its end
    tree = begin(place, is_open=state in ("queued", "recording"))
    push = subprocess.Popen(["git", "push", "-q", "hub", "main"], cwd=tree.path, env=place.env)
    was_seen = kill_when(place, lambda: run_state(place) == state, f"the run is {state}")
    assert push.wait(60) == 0
    (place.outside / "gate").touch()
    is_whole(place, tree)
    assert len(ran(place)) == 3
    if state in ("preparing", "running"):
        assert was_seen


@pytest.mark.parametrize("stage", ["first", "large", "last"])
@pytest.mark.parametrize("state", ["submitted", "running", "collecting", "succeeded"])
def test_a_dispatcher_killed_in_a_jobs_state_loses_and_repeats_nothing(
    place: Place, state: str, stage: str
) -> None:
    tree = begin(place, is_open=True)
    push = subprocess.Popen(["git", "push", "-q", "hub", "main"], cwd=tree.path, env=place.env)

    def is_there() -> bool:
        rows = place.runs()
        return bool(rows) and place.states(rows[-1].request.id).get(stage) == state

    kill_when(place, is_there, f"{stage} is {state}")
    assert push.wait(60) == 0
    is_whole(place, tree)
    assert len(ran(place)) == 3


def test_a_running_job_is_attached_to_again(place: Place) -> None:
    tree = begin(place, is_open=False)
    tree.git("push", "-q", "hub", "main")
    until(lambda: ran(place), "the first stage runs")
    run = place.runs()[0].request.id
    pid = (place.hub / "runs" / "p" / run / "jobs" / "0000-first" / "pid").read_text()
    assert place.kill_dispatcher()
    place.start_dispatcher()
    until(place.is_dispatched, "a new dispatcher is there")
    (place.outside / "gate").touch()
    is_whole(place, tree)
    assert (place.hub / "runs" / "p" / run / "jobs" / "0000-first" / "pid").read_text() == pid


def test_a_job_that_ended_while_nobody_watched_is_taken_in(place: Place) -> None:
    tree = begin(place, is_open=False)
    tree.git("push", "-q", "hub", "main")
    until(lambda: ran(place), "the first stage runs")
    assert place.kill_dispatcher()
    (place.outside / "gate").touch()
    job = place.hub / "runs" / "p" / place.runs()[0].request.id / "jobs" / "0000-first"
    until(lambda: (job / "exit").exists(), "the first stage ends by itself")
    is_whole(place, tree)
    assert len(ran(place)) == 3


def test_a_run_is_cancelled_though_its_dispatcher_was_killed(place: Place) -> None:
    tree = begin(place, is_open=False)
    tree.git("push", "-q", "hub", "main")
    until(lambda: ran(place), "the first stage runs")
    assert place.kill_dispatcher()
    tree.lockgate("cancel", "latest")
    place.settle()
    assert [row.state for row in place.runs()] == ["cancelled"]
    assert len(ran(place)) == 1


def test_many_kills_in_a_row_lose_and_repeat_nothing(place: Place) -> None:
    """Whatever the moment: a kill each few milliseconds more, until the run is through."""
    tree = begin(place, is_open=True)
    tree.git("push", "-q", "hub", "main")
    pause = 0.15
    for _ in range(20):
        if place.is_idle():
            break
        time.sleep(pause)
        pause *= 1.08
        place.kill_dispatcher()
        place.start_dispatcher()
    is_whole(place, tree)
    assert len(ran(place)) == 3


def test_the_next_push_takes_up_what_a_killed_dispatcher_left(place: Place) -> None:
    tree = begin(place, is_open=False)
    tree.git("push", "-q", "hub", "main")
    until(lambda: ran(place), "the first stage runs")
    assert place.kill_dispatcher()
    (place.outside / "gate").touch()
    tree.git("push", "-o", "wait", "hub", "main:other")
    is_whole(place, tree)
    assert len(place.runs()) == 2


# Hooks


def hooks_of(place: Place, kind: str) -> list[int]:
    words = f"lockgate.hub.receive {kind} {place.hub}"
    return [pid for pid, command in commands() if words in command]


def kill_hook(place: Place, tree: WorkTree, kind: str, delay_s: float) -> int:
    push = subprocess.Popen(
        ["git", "push", "hub", "main"], cwd=tree.path, env=place.env, stderr=subprocess.PIPE
    )
    found: list[int] = []
    while push.poll() is None and not found:
        found = hooks_of(place, kind)
    time.sleep(delay_s)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    push.communicate(timeout=60)
    return push.returncode


@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.06, 0.09])
def test_a_killed_pre_receive_refuses_the_push_and_queues_nothing(place: Place, delay_s: float) -> None:
    tree = begin(place, is_open=True)
    code = kill_hook(place, tree, "pre-receive", delay_s)
    if code != 0:
        assert place.refs("refs/heads") == {}
        assert place.finished() == []
        tree.git("push", "-o", "wait", "hub", "main")
    is_whole(place, tree)
    assert len(place.runs()) == 1
    assert len(ran(place)) == 3


@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.06, 0.09])
def test_a_run_whose_post_receive_was_killed_is_run_nevertheless(place: Place, delay_s: float) -> None:
    tree = begin(place, is_open=True)
    kill_hook(place, tree, "post-receive", delay_s)
    assert place.refs("refs/heads") != {}
    is_whole(place, tree)
    assert len(place.runs()) == 1
    assert len(ran(place)) == 3


def test_a_killed_push_leaves_the_run_going(place: Place) -> None:
    tree = begin(place, is_open=False)
    push = subprocess.Popen(
        ["git", "push", "-o", "wait", "hub", "main"], cwd=tree.path, env=place.env, stderr=subprocess.DEVNULL
    )
    until(lambda: ran(place), "the first stage runs")
    push.kill()
    push.wait(10)
    (place.outside / "gate").touch()
    is_whole(place, tree)


# Jobs


def process_of(pattern: str) -> int:
    found: list[int] = []

    def look() -> list[int]:
        found[:] = [pid for pid, command in commands() if re.search(pattern, command)]
        return found

    until(look, f"a process like {pattern}")
    return found[0]


def test_a_jobs_shell_killed_fails_the_run_and_says_so(place: Place) -> None:
    tree = begin(place, is_open=False)
    tree.git("push", "-q", "hub", "main")
    until(lambda: ran(place), "the first stage runs")
    os.kill(process_of(f"^sh {place.hub}/.*/0000-first/job.sh"), signal.SIGKILL)
    place.settle()
    (row,) = place.runs()
    assert row.state == "failed"
    assert "its shell was killed (SIGKILL)" in (row.cause or "")
    assert tree.head() == place.refs()["refs/heads/main"]


def test_a_jobs_command_killed_fails_the_run_and_says_so(place: Place) -> None:
    tree = begin(place, is_open=False)
    tree.git("push", "-q", "hub", "main")
    until(lambda: ran(place), "the first stage runs")
    shell = process_of(f"^sh {place.hub}/.*/0000-first/job.sh")
    command = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0]
    os.kill(int(command), signal.SIGKILL)
    place.settle()
    (row,) = place.runs()
    assert row.state == "failed"
    assert "SIGKILL" in (row.cause or "")


def test_a_job_that_went_down_with_its_host_runs_again(place: Place) -> None:
    """Dispatcher and job are killed together: nothing of the job is there when somebody looks again."""
    tree = begin(place, is_open=False)
    tree.git("push", "-q", "hub", "main")
    until(lambda: ran(place), "the first stage runs")
    shell = process_of(f"^sh {place.hub}/.*/0000-first/job.sh")
    assert place.kill_dispatcher()
    os.killpg(shell, signal.SIGKILL)
    place.start_dispatcher()
    process_of(f"^sh {place.hub}/.*/0000-first~2/job.sh")
    (place.outside / "gate").touch()
    place.settle()
    (row,) = place.runs()
    assert row.state == "succeeded"
    assert [line.split()[0] for line in ran(place)].count("first") == 2
    shown = tree.lockgate("show", row.request.id)
    assert "run again: its processes are gone and it left no record" in shown.out


def test_a_job_lost_twice_fails_the_run_and_says_so(place: Place) -> None:
    tree = begin(place, is_open=False)
    tree.git("push", "-q", "hub", "main")
    for folder in ("0000-first", "0000-first~2"):
        shell = process_of(f"^sh {place.hub}/.*/{folder}/job.sh")
        assert place.kill_dispatcher()
        os.killpg(shell, signal.SIGKILL)
        place.start_dispatcher()
    place.settle()
    (row,) = place.runs()
    assert row.state == "failed"
    assert "its processes are gone and it left no record" in (row.cause or "")


@pytest.mark.parametrize("kept_bytes", [0, 40])
def test_a_job_whose_laying_out_was_cut_short_is_laid_out_anew(place: Place, kept_bytes: int) -> None:
    """Of so many jobs the last ones are handed over before there is room to lay them out."""
    gate, count = place.outside / "gate", 40
    stages = "".join(
        f"[stages.s{n}]\nrun = \"until [ -e '{gate}' ]; do sleep 0.05; done; cat i > o{n}\"\n"
        f'needs = ["i"]\nmakes = ["o{n}"]\n\n'
        for n in range(count)
    )
    tree = place.project({"lockgate.toml": f'[project]\nname = "p"\n\n{stages}', "i": "1\n"})
    tree.git("push", "-q", "hub", "main")
    last = f"s{count - 1}"
    until(lambda: place.states(place.runs()[-1].request.id).get(last) == "submitted", "all are handed over")
    assert place.kill_dispatcher()
    job = place.hub / "runs" / "p" / place.runs()[-1].request.id / "jobs" / f"{count - 1:04d}-{last}"
    job.mkdir(parents=True)
    (job / "job.sh").write_bytes(
        b"#!/bin/sh\n# Stage s39 of a run that nobody finished laying out\n"[:kept_bytes]
    )
    gate.touch()
    place.start_dispatcher()
    place.settle()
    assert [row.state for row in place.runs()] == ["succeeded"], place.runs()[-1].cause
