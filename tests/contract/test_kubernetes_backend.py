"""A real Kubernetes node against the suite: once with shared files, once with files carried to the pods."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from kubernetes_cluster import IMAGE, KubernetesCluster, cluster_for_tests

from lockgate.backends.contract import Backend
from lockgate.backends.registry import load_backend
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job
from lockgate.testing.backends import BackendContract

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[KubernetesCluster]:
    with cluster_for_tests() as cluster:
        yield cluster


class KubernetesContract(BackendContract):
    deadline_s = 300.0
    brief_s = 4.0
    many = 50
    sees_processes = False
    refuses_excess = False
    excess_resources = Resources(cpus=1000)
    refused_options = {"image": "UPPER CASE"}  # noqa: RUF012
    base: dict[str, object]

    @pytest.fixture(autouse=True)
    def _use(self, cluster: KubernetesCluster, tmp_path: Path) -> Iterator[None]:
        self.cluster = cluster
        self.options = {
            "kubeconfig": str(cluster.kubeconfig),
            "image": IMAGE,
            "image_pull_policy": "Never",
            **self.files(cluster, tmp_path),
        }
        with cluster.namespace() as namespace:
            self.options["namespace"] = namespace
            yield

    def files(self, cluster: KubernetesCluster, folder: Path) -> dict[str, object]:
        raise NotImplementedError

    def backend(self) -> Backend:
        return load_backend("kubernetes")

    def outage(self) -> AbstractContextManager[None]:
        return self.cluster.outage()


class TestSharedFiles(KubernetesContract):
    def files(self, cluster: KubernetesCluster, folder: Path) -> dict[str, object]:
        return {"shared": [{"path": str(folder), "host_path": str(folder)}]}


class TestCarriedFiles(KubernetesContract):
    def files(self, cluster: KubernetesCluster, folder: Path) -> dict[str, object]:
        with socket.socket() as free:
            free.bind((cluster.hub_address, 0))
            return {"serve": f"{cluster.hub_address}:{free.getsockname()[1]}"}

    def make_vanished(self, job: Job) -> None:
        Path(job.folder, "pid").write_text("1\n")
