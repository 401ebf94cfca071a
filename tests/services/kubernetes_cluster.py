"""A real Kubernetes cluster of one node for tests, by kubernetes.sh: built from source on first use."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SCRIPT = Path(__file__).with_name("kubernetes.sh")
_DEADLINE_S = 60.0
IMAGE = "localhost/lockgate-test:1"
#: Without a Python.
PLAIN_IMAGE = "localhost/lockgate-plain:1"
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

    def version(self) -> tuple[int, int]:
        """Return the server's, as `(1, 29)`."""
        said = json.loads(self.kubectl("version", "-o", "json"))["serverVersion"]
        return int(said["major"]), int(said["minor"].rstrip("+"))

    @contextlib.contextmanager
    def namespace(self) -> Iterator[str]:
        """Yield a namespace of the test's own, ready for pods."""
        name = f"test-{secrets.token_hex(4)}"
        self.kubectl("create", "namespace", name)
        ends_at = time.monotonic() + _DEADLINE_S
        while not self.get("serviceaccounts", "--namespace", name)["items"]:
            assert time.monotonic() < ends_at, f"the namespace {name} gets no service account"
            time.sleep(0.1)
        try:
            yield name
        finally:
            self.kubectl("delete", "jobs", "--all", "--namespace", name, "--wait=false")
            self.kubectl("delete", "pods", "--all", "--namespace", name, "--grace-period=1", "--wait=false")
            self.kubectl("delete", "namespace", name, "--wait=false")

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
