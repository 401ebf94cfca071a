"""Verifications on a hub that isolates its jobs: a runtime of their own, and trials that hold one thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import LINGER_S, Place
from isolation import require_isolation

_STAGE = """\
[stages.make]
run = "python make.py"
needs = ["make.py"]
makes = ["out.txt"]
"""
#: What it writes tells whether it saw the hub's key: isolation holds for what is made again too.
_STEADY = """\
import pathlib, six
seen = any((above / "key").exists() for above in pathlib.Path.cwd().parents)
open("out.txt", "w").write(f"{six.__version__} {seen}\\n")
"""
_SEEDLESS = """\
import random
open("out.txt", "w").write(f"{random.random()}\\n")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    require_isolation()
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    made = Place(tmp_path)
    yield made
    made.close()


def test_a_fresh_verification_has_its_own_runtime_and_sees_nothing_of_the_hub(place: Place) -> None:
    tree = place.project({"lockgate.toml": _STAGE, "make.py": _STEADY, "requirements.txt": "six==1.16.0\n"})
    (place.hub / "hub.toml").write_text('[jobs]\nisolation = "required"\n')
    tree.push()
    tree.pull()
    assert tree.read("out.txt") == "1.16.0 False\n"
    # A runtime that was taken from the hub would make something else
    (site,) = place.hub.glob("runtimes/*/venv/lib/python*/site-packages")
    altered = (site / "six.py").read_text().replace("1.16.0", "1.17.0")
    (site / "six.py").unlink()
    (site / "six.py").write_text(altered)
    found = json.loads(tree.lockgate("verify", "latest", "--fresh", "--json").out)
    assert found["verdict"] == "identical"
    assert found["is_fresh"]
    assert not list((place.hub / "runs").glob("*/*/runtimes"))


def test_trials_of_isolated_jobs_find_the_cause(place: Place) -> None:
    tree = place.project({"lockgate.toml": _STAGE, "make.py": _SEEDLESS})
    (place.hub / "hub.toml").write_text('[jobs]\nisolation = "required"\n')
    tree.push()
    found = json.loads(tree.lockgate("verify", "latest", "--json", code=1).out)
    assert [each["factor"] for each in found["causes"]] == ["seed"]
