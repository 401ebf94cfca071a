"""Isolated jobs on a real Slurm: what a node that shares the hub's files lets them see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import LINGER_S, Place, run_program
from isolation import require_isolation
from slurm_service import Slurm

_THIEF = """\
[batch]
backend = "slurm"

[stages.steal]
run = "sh steal.sh > loot"
needs = ["steal.sh"]
makes = ["loot"]
walltime = "1 min"
memory = "200 MB"

[stages.slow]
run = "trap 'exit 3' TERM; while :; do sleep 0.05; done"
makes = ["never"]
walltime = "2 s"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accounting_slurm: Slurm) -> Iterator[Place]:
    require_isolation()
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    monkeypatch.setenv("SLURM_CONF", str(accounting_slurm.conf))
    made = Place(tmp_path)
    yield made
    made.close()
    accounting_slurm.clear()


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["required", "off"])
def test_a_job_on_a_node_sees_nothing_of_the_hub(place: Place, isolation: str) -> None:
    steal = (  # "slurm[d]" does not find itself
        f"cat {place.hub}/key; cat {place.hub}/members/*; head -c 15 {place.hub}/index.sqlite; "
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o 'slurm[d]'; echo bye\n"
    )
    tree = place.project({"lockgate.toml": _THIEF, "steal.sh": steal})
    words: list[str | Path] = ["lockgate", "hub", "member", "add", "ann", "--operator", "--hub", place.hub]
    run_program(words, place.root, place.env)
    (place.hub / "hub.toml").write_text(f'[jobs]\nisolation = "{isolation}"\n')
    assert "isolated" not in tree.push("-o", "only=steal", "main").err
    tree.pull()
    found = tree.read("loot")
    if isolation == "off":
        assert "PRIVATE KEY" in found and "SQLite" in found and "slurmd" in found and '"ann"' in found
        return
    assert found == "bye\n"
    done = tree.lockgate("run", "slow", code=None)
    assert done.code != 0 and "walltime" in done.said
