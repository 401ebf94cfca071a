"""`lockgate backends` and `lockgate backends check`, on a hub of the test's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


class Project:
    """A work tree with a private hub."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tree"
        self.path.mkdir()
        self.env = {**os.environ, "LOCKGATE_HUB": str(folder / "hub"), "LOCKGATE_LINGER_S": "0"}
        self.write("")
        subprocess.run(["git", "init", "-q"], cwd=self.path, env=self.env, check=True)
        self("init")

    def write(self, batch: str) -> None:
        stages = "[stages.a]\nrun = 'true'\n[stages.b]\nrun = 'true'\nbackend = 'local'\n"
        (self.path / "lockgate.toml").write_text(f"{batch}\n{stages}")

    def push(self) -> None:
        for words in (["add", "-A"], ["commit", "-qm", "x"], ["push", "-q", "-o", "skip", "hub", "HEAD"]):
            subprocess.run(["git", *words], cwd=self.path, env=self.env, check=True, capture_output=True)

    def __call__(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "lockgate", *words],
            cwd=self.path,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_what_is_installed_and_what_uses_it(project: Project) -> None:
    project.push()
    shown = project("backends")
    assert re.search(r"^local +installed +every stage that names none, 1 stage: b +-$", shown, re.MULTILINE)
    found = {each["name"]: each for each in json.loads(project("backends", "--json"))}
    assert found["local"] == {
        "name": "local",
        "is_described": False,
        "is_default": True,
        "stages": ["b"],
        "settings": [],
    }
    assert {"slurm", "htcondor", "spark", "kubernetes", "dask"} <= set(found)


def test_a_described_backend_is_listed(project: Project) -> None:
    """The batch system is the shell itself, which says its job's number and forgets the job at once."""
    project.write(
        "[batch.shell]\n"
        """submit = 'sh -c "\\"$1\\" >/dev/null 2>&1 & echo $!" sh {script}'\n"""
        "submitted = '^(?P<id>[0-9]+)$'\n"
        "status = 'sh -c true'\n"
        "line = '^(?P<id>[0-9]+) (?P<state>[A-Z])$'\n"
        "running = ['R']\nended = ['F']\ncancel = 'kill {ids}'\n"
    )
    project.push()
    assert "shell " in project("backends")


def test_a_check_of_one_that_works(project: Project) -> None:
    project.push()
    said = project("backends", "check", "local")
    assert [line.split(":")[0] for line in said.splitlines()] == [
        f"ok       {step}" for step in ("backend", "settings", "start", "end", "log", "results", "runtime")
    ]
    checks = Path(project.env["LOCKGATE_HUB"], "checks")
    assert list(checks.iterdir()) == []


def test_a_check_of_one_that_is_not_there(project: Project) -> None:
    said = project("backends", "check", "no-such", code=1)
    assert "there is no backend 'no-such' here" in said


def test_a_check_with_a_time_that_is_none(project: Project) -> None:
    assert "is no duration" in project("backends", "check", "local", "--timeout", "soon", code=2)
