"""A real Kubernetes cluster of one node for tests, by kubernetes.sh: built from source on first use."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SCRIPT = Path(__file__).with_name("kubernetes.sh")
IMAGE = "localhost/lockgate-test:1"
#: The caches of programs are outside of the home that tests have.
_CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111


class KubernetesCluster:
    """One that runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "admin.conf"
        self.hub_address = (folder / "address").read_text().strip()
        """This host, as pods reach it."""

    def kubectl(self, *words: str, said: str | None = None) -> str:
        command = [str(self.folder / "bin/kubectl"), "--kubeconfig", str(self.kubeconfig), *words]
        done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def requests(self) -> int:
        """Return how many calls for Jobs and pods the API server has had, the kubelet's and controllers' own
        left out as far as these make none of that kind."""
        return sum(
            int(float(line.rpartition(" ")[2]))
            for line in self.kubectl("get", "--raw", "/metrics").splitlines()
            if line.startswith("apiserver_request_total{") and 'resource="jobs"' in line
        )

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """The API server is killed, and started again."""
        _run("api-down", str(self.folder))
        try:
            yield
        finally:
            _run("api-up", str(self.folder))


@contextlib.contextmanager
def cluster_for_tests(tier: str = "node") -> Iterator[KubernetesCluster]:
    """Start a cluster of the test's own; skip loudly where that cannot be."""
    known = os.environ.get("TEST_KUBERNETES_CLUSTER")
    if known:
        yield KubernetesCluster(Path(known))
        return
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("NOT TESTED: a Kubernetes cluster needs Linux and root")
    with tempfile.TemporaryDirectory(prefix="lgk8s-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        place = Path(folder, "cluster")
        done = _try("start", str(place), tier)
        if done.returncode != 0:
            _try("stop", str(place))
            pytest.skip(f"NOT TESTED: Kubernetes does not start here: {done.stderr.strip()[-300:]}")
        try:
            yield KubernetesCluster(place)
        finally:
            _run("stop", str(place))


def _try(*words: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile("w+") as said:
        environment = dict(os.environ) | {"XDG_CACHE_HOME": _CACHE, "PYTHON": sys.executable}
        command = [str(_SCRIPT), *words]
        # Its daemons keep what it was given as output: a file, so that nobody waits for them.
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            timeout=3000,
            check=False,
        )
        said.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, "", said.read())


def _run(*words: str) -> None:
    done = _try(*words)
    assert done.returncode == 0, f"kubernetes.sh {words}: {done.stderr}"
