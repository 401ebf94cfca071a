"""A real Dask cluster for tests and benchmarks, by dask_cluster.sh."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("dask_cluster.sh")
WORKERS = ("worker-1", "worker-2")


class Cluster:
    """One that runs: a scheduler and two workers of two threads, which declare CPU=2 each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options: dict[str, object] = {"scheduler_file": f"{folder}/scheduler.json", "timeout": 2}
        """The table `[batch.dask]` for it."""

    def pid(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text())

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """The scheduler answers nobody."""
        pid = self.pid("scheduler")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def kill_worker(self, name: str) -> None:
        """Kill a worker with the nanny that would start it anew, as a node that fails does."""
        nanny = self.pid(name)
        children = subprocess.run(["pgrep", "-P", str(nanny)], capture_output=True, text=True, check=False)
        os.kill(nanny, signal.SIGKILL)
        for child in children.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)

    def kill_scheduler(self) -> None:
        _script("kill-scheduler", str(self.folder))

    def restart(self) -> None:
        """Start what is not there, the scheduler at the address it had."""
        _script("restart", str(self.folder))


@contextlib.contextmanager
def for_tests() -> Iterator[Cluster]:
    """Start a cluster, or report the tests that need one as not tested."""
    lacking = _run("missing")
    if lacking.returncode != 0:
        pytest.skip(f"NOT TESTED: Dask: not installed: {lacking.stdout.strip()}")
    with started() as cluster:
        yield cluster


@contextlib.contextmanager
def started() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="lockgate-dask-", ignore_cleanup_errors=True) as folder:
        try:
            _script("start", folder)
            yield Cluster(Path(folder))
        finally:
            _script("stop", folder)


def _script(*words: str) -> None:
    done = _run(*words)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_SCRIPT, *words],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
