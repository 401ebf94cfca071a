"""A Spark cluster for tests: one master, two workers, started once a session."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

SCRIPT = Path(__file__).parent / "spark.sh"
#: Installing it is half a gigabyte; starting it takes half a minute on a busy machine.
_START_S = 900

#: A program of half a minute ends before what the second compiler makes of it is of use (java(1)).
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


class Cluster(msgspec.Struct, frozen=True):
    """Where a running cluster is, and the Spark that it runs."""

    folder: Path
    master: str
    ui: str
    home: str
    python: str

    def options(self, **more: object) -> dict[str, object]:
        """Return `[batch.spark]` for this cluster."""
        return {
            "master": self.master,
            "spark_home": self.home,
            "python": self.python,
            "executor_memory": "460 MiB",
            "total_cores": 2,
            "conf": {
                "spark.driver.host": "127.0.0.1",
                "spark.driver.bindAddress": "127.0.0.1",
            },
        } | more

    def state(self) -> Any:
        """Return what the master says of itself."""
        with urllib.request.urlopen(f"{self.ui}/json/", timeout=10) as answer:
            return json.load(answer)

    def active(self) -> list[str]:
        """Return the ids of the applications that the master knows as running or waiting."""
        return [each["id"] for each in self.state()["activeapps"]]

    def until_idle(self, deadline_s: float = 60.0) -> None:
        """Wait until the master knows of no application."""
        ends_at = time.monotonic() + deadline_s
        while self.active():
            assert time.monotonic() < ends_at, f"applications still at the master: {self.active()}"
            time.sleep(0.2)

    def executor_pids(self) -> list[int]:
        """Return the executors' processes, by what every one of them has in its arguments."""
        found = []
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                words = (proc / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if (
                b"--worker-url" in words
                and b"org.apache.spark.executor.CoarseGrainedExecutorBackend" in words
            ):
                port = self.master.rpartition(":")[2]
                if str(self.folder).encode() in b" ".join(words) or self._is_ours(proc, port):
                    found.append(int(proc.name))
        return found

    def _is_ours(self, proc: Path, port: str) -> bool:
        try:
            parent = (proc / "stat").read_text().rpartition(")")[2].split()[1]
            return (self.master in Path("/proc", parent, "cmdline").read_text()) and bool(port)
        except OSError:
            return False


def _free_ports(count: int = 6) -> int:
    """Return the first of so many ports in a row that nobody listens on."""
    for first in random.sample(range(20_000, 30_000, 10), 100):
        try:
            for port in range(first, first + count):
                with socket.socket() as tried:
                    tried.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise OSError("no six free ports in a row")


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Run a cluster whose files lie in `folder`; skips loudly where it cannot be installed or started."""
    environment = os.environ | {
        # The tests' own home and cache are new each time; half a gigabyte is kept beside the packages'.
        "LOCKGATE_TEST_CACHE": os.environ.get("LOCKGATE_TEST_CACHE")
        or str(Path(os.environ["UV_CACHE_DIR"]).parent / "lockgate-tests"),
        "PYTHON": sys.executable,
        "SPARK_TEST_PORT": str(_free_ports()),
    }
    try:
        done = subprocess.run(
            [SCRIPT, "start", folder],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_START_S,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"NOT TESTED: Spark: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        (folder / "conf" / "spark-defaults.conf").write_text(f"spark.driver.extraJavaOptions {SHORT_LIVED}\n")
        facts = dict(line.partition("=")[::2] for line in (folder / "facts").read_text().splitlines())
        yield Cluster(
            folder,
            facts["SPARK_MASTER"],
            facts["SPARK_MASTER_UI"],
            facts["SPARK_HOME"],
            facts["SPARK_PYTHON"],
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"NOT TESTED: Spark: not up after {_START_S} s")
    finally:
        subprocess.run([SCRIPT, "stop", folder], env=environment, check=False, timeout=120)


@pytest.fixture(scope="session")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("spark-cluster")) as cluster:
        yield cluster
