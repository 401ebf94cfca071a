"""Whole runs on a real pool, from a push to what is told of it; the hub's owner is an ordinary user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import LINGER_S, Place
from htcondor_pool import Pool, lockgate_of_user, pool_for_tests
from ordinary_user import job_folder

from lockgate.runs import exitrecord

pytestmark = [pytest.mark.batch, pytest.mark.slow, pytest.mark.timeout(900)]

_MATRIX = """\
[batch]
backend = "htcondor"

[stages.try]
run = "case {n} in %s) exit 3 ;; esac; echo {n} > out-{n}"
makes = ["out-{n}"]
needs = ["i"]
matrix = { n = [%s] }
"""
_STAGE = """\
[batch]
backend = "htcondor"

[stages.copy]
run = "%s"
needs = ["i"]
makes = ["o"]
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    git_config = Path.home() / ".gitconfig"
    with pool_for_tests() as pool, job_folder() as folder, lockgate_of_user(folder, git_config):
        yield pool


@pytest.fixture
def place(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    with job_folder() as folder:
        made = Place(folder)
        yield made
        made.close()
        pool.tool("condor_rm", "-constraint", "true", check=False)


def test_of_a_large_matrix_exactly_those_fail_that_do_and_the_others_are_kept(place: Place) -> None:
    bad = set(range(7, 200, 20))
    patterns, members = "|".join(str(n) for n in sorted(bad)), ", ".join(str(n) for n in range(200))
    tree = place.project({"lockgate.toml": _MATRIX % (patterns, members), "i": "1\n"})
    tree.git("push", "hub", "main")
    place.settle(deadline_s=600)
    run = place.runs()[-1]
    states = place.states(run.request.id)
    failed = {stage for stage, state in states.items() if state == "failed"}
    assert run.state == "failed" and len(states) == 200
    assert {_member(stage) for stage in failed} == bad
    assert {state for stage, state in states.items() if stage not in failed} == {"succeeded"}
    told = tree.lockgate("show", "latest").out
    assert all(stage in told for stage in failed)
    again = tree.lockgate("run", code=None)
    assert again.code != 0
    rerun = place.states(place.runs()[-1].request.id)
    assert sum(state == "cached" for state in rerun.values()) == 190
    assert {_member(stage) for stage, state in rerun.items() if state != "cached"} == bad


def _member(stage: str) -> int:
    return int("".join(filter(str.isdigit, stage)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", "cannot write to {folder}: its mode does not let the hub's owner"),
        ("[batch.htcondor]\ntransfer = true\n", "its folder there not writable"),
    ],
    ids=["shared", "carried"],
)
def test_a_folder_that_stops_being_writable_is_named_and_nobody_waits_for_ever(
    place: Place, options: str, words: str
) -> None:
    tree = place.project({"lockgate.toml": _STAGE % "cat i >o; chmod a-w .." + options, "i": "1\n"})
    done = tree.lockgate("run", code=None)
    assert done.code != 0
    (second,) = place.hub.glob("runs/p/*/jobs/*-copy~2")
    assert words.format(folder=second) in done.said
    assert exitrecord.read(str(second)) is not None
    place.settle()
    assert [row.state for row in place.runs()] == ["failed"]


def test_a_workspace_that_is_not_writable_is_told_in_the_command_s_words(place: Place) -> None:
    tree = place.project({"lockgate.toml": _STAGE % "chmod a-w .; cat i >o", "i": "1\n"})
    done = tree.lockgate("run", code=None)
    assert done.code != 0 and "cannot create o: Permission denied" in done.said
