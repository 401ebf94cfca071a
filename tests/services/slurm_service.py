"""A real Slurm for tests and benchmarks, by slurm.sh."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("slurm.sh")
_DEADLINE_S = 60.0


class Slurm:
    """One that runs: a node of two cpus and 4 GiB, partitions `batch`, `short` (10 minutes), `closed`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self.env = dict(os.environ) | {"SLURM_CONF": str(self.conf)}

    def ask(self, *words: str, user: str | None = None) -> str:
        """Run one of Slurm's commands, as another user where root may; return what it answers."""
        prefix = [] if user is None else ["runuser", "-u", user, "--"]
        done = subprocess.run(
            [*prefix, *words], env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    @property
    def node(self) -> str:
        return self.ask("sinfo", "--noheader", "--format=%N", "--partition=batch").strip()

    def kill_controller(self) -> None:
        _script("kill-controller", str(self.folder))

    def restart(self) -> None:
        """Start the controller, or start it anew, and wait until the node serves."""
        _script("restart", str(self.folder))

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """The controller is away and comes back with all it knew."""
        _script("stop-controller", str(self.folder))
        try:
            yield
        finally:
            self.restart()

    @contextlib.contextmanager
    def drained(self, why: str) -> Iterator[None]:
        """Let the node start no jobs."""
        node = self.node
        self.ask("scontrol", "update", f"nodename={node}", "state=drain", f"reason={why}")
        try:
            yield
        finally:
            self.ask("scontrol", "update", f"nodename={node}", "state=resume")

    def jobs(self, *words: str) -> list[list[str]]:
        """Return id, state and name of each job that Slurm has in mind."""
        answer = self.ask("squeue", "--noheader", "--array", "--format=%i|%T|%j", *words or ("--states=all",))
        return [line.split("|", 2) for line in answer.splitlines()]

    def until(self, condition: Callable[[], object], what: str) -> None:
        ends_at = time.monotonic() + _DEADLINE_S
        while not condition():
            assert time.monotonic() < ends_at, (
                f"waited in vain: {what}; {self.ask('squeue', '--format=%i %T %r %j')}"
            )
            time.sleep(0.05)

    def until_empty(self) -> None:
        """Wait until no job runs or waits."""
        self.until(lambda: not self.ask("squeue", "--noheader"), "Slurm's queue is empty")

    def clear(self) -> None:
        """End all jobs; a controller that was killed may hold ended ones for running."""
        numbers = sorted({each[0].partition("_")[0] for each in self.jobs("--states=PD,R,S,CG,CF")})
        if numbers:
            self.ask("scancel", *numbers)
        self.until_empty()

    def count_calls(self, notes: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let programs of the test use this Slurm, and note a line in `notes` for each of its commands."""
        folder.mkdir()
        for name in ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo"):
            program = shutil.which(name)
            (folder / name).write_text(f"#!/bin/sh\necho {name} >>'{notes}'\nexec {program} \"$@\"\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setenv("SLURM_CONF", str(self.conf))


@contextlib.contextmanager
def for_tests(*words: str, accounting: bool = False) -> Iterator[Slurm]:
    """Start one for tests, which are skipped where its programs are not there."""
    lacking = missing(accounting=accounting)
    if lacking:
        pytest.skip(f"NOT TESTED: Slurm: not installed: {lacking}")
    with running(*words, accounting=accounting) as slurm:
        yield slurm


def missing(*, accounting: bool = False) -> str:
    """Return the programs that are not installed, by name; empty: all are there."""
    words = [str(_SCRIPT), "missing", *(["--accounting"] if accounting else [])]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


@contextlib.contextmanager
def running(*words: str, accounting: bool = False) -> Iterator[Slurm]:
    """Start one, with these words for `slurm.sh start`; it is stopped in the end, with all its jobs."""
    words = (*(["--accounting"] if accounting else []), *words)
    with tempfile.TemporaryDirectory(prefix="lockgate-slurm-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        place.chmod(0o755)
        folder = _started(place, words)
        try:
            yield Slurm(folder)
        finally:
            _script("stop", str(folder))


def _started(place: Path, words: Sequence[str], tries: int = 3) -> Path:
    """Start one in a folder below `place`. A port that was free when it was chosen may be taken by another
    test's service before Slurm comes to it: then others are chosen."""
    number = 0
    while True:
        folder = place / str(number)
        folder.mkdir(mode=0o755)
        try:
            _script("start", str(folder), *words)
        except AssertionError as error:
            _script("stop", str(folder))
            number += 1
            if "Address already in use" not in str(error) or number == tries:
                raise
        else:
            return folder


def _script(*words: str) -> None:
    done = subprocess.run([str(_SCRIPT), *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"slurm.sh {' '.join(words)}:\n{done.stderr}"
