"""Whole runs on a real Slurm, from `lockgate run` to results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import LINGER_S, Place, until
from slurm_service import Slurm

_MATRIX = """\
[batch]
backend = "slurm"
[batch.slurm]
partition = "batch"

[stages.try]
run = "test {n} -lt 190 && echo {n} > out-{n}"
makes = ["out-{n}"]
needs = ["i"]
matrix = { n = [%s] }
"""
_SLOW = """\
[batch]
backend = "slurm"
[stages.slow]
run = "echo begun > ../begun; sleep 2; cat i > o"
needs = ["i"]
makes = ["o"]
walltime = "1 min"
memory = "100 MB"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accounting_slurm: Slurm) -> Iterator[Place]:
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    monkeypatch.setenv("SLURM_CONF", str(accounting_slurm.conf))
    made = Place(tmp_path)
    yield made
    made.close()
    accounting_slurm.clear()


@pytest.mark.slow
def test_of_a_large_matrix_exactly_those_fail_that_do_and_the_others_are_kept(
    place: Place, accounting_slurm: Slurm
) -> None:
    manifest = _MATRIX % ", ".join(str(n) for n in range(200))
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    before = len(accounting_slurm.jobs())
    done = tree.lockgate("run", code=None)
    assert done.code != 0
    run = place.runs()[-1].request.id
    states = place.states(run)
    failed = {stage for stage, state in states.items() if state == "failed"}
    assert len(states) == 200
    assert {int("".join(filter(str.isdigit, stage))) for stage in failed} == set(range(190, 200))
    assert {state for stage, state in states.items() if stage not in failed} == {"succeeded"}
    again = tree.lockgate("run", code=None)
    assert again.code != 0
    rerun = place.states(place.runs()[-1].request.id)
    assert sum(state == "cached" for state in rerun.values()) == 190
    assert len({each[0].partition("_")[0] for each in accounting_slurm.jobs()[before:]}) <= 4


def test_the_hub_is_dead_for_the_whole_life_of_a_job(place: Place, accounting_slurm: Slurm) -> None:
    tree = place.project({"lockgate.toml": _SLOW, "i": "1\n"})
    tree.lockgate("run", "--detach")
    until(lambda: list(place.hub.rglob("begun")), "the job runs")
    assert place.kill_dispatcher()
    accounting_slurm.until_empty()
    place.start_dispatcher()
    place.settle()
    assert set(place.states(place.runs()[-1].request.id).values()) == {"succeeded"}


def test_one_run_is_sent_to_slurm(place: Place, accounting_slurm: Slurm) -> None:
    before = {each[0] for each in accounting_slurm.jobs()}
    manifest = _SLOW.replace('[batch]\nbackend = "slurm"\n', "")
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.lockgate("run", "--on", "slurm")
    assert tree.read("o") == "1\n"
    assert {each[0] for each in accounting_slurm.jobs()} - before


def test_an_option_that_slurm_refuses_is_told_to_whoever_runs(place: Place) -> None:
    manifest = _SLOW.replace(
        'backend = "slurm"\n', 'backend = "slurm"\n[batch.slurm]\npartition = "none-such"\n'
    )
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    done = tree.lockgate("run", code=None)
    assert done.code != 0
    assert "Invalid partition name specified" in done.said and "`partition` in [batch.slurm]" in done.said


def test_a_run_of_this_host_is_verified_on_slurm(place: Place, accounting_slurm: Slurm) -> None:
    local = _SLOW.replace('[batch]\nbackend = "slurm"\n', "").replace("sleep 2; ", "")
    tree = place.project({"lockgate.toml": local, "i": "1\n"})
    tree.push()
    before = len(accounting_slurm.jobs())
    found = json.loads(tree.lockgate("verify", "latest", "--on", "slurm", "--json").out)
    assert found["verdict"] == "identical"
    assert len(accounting_slurm.jobs()) == before + 1
