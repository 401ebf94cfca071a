"""What goes wrong on a real node, told in words: others' hands, scarce nodes, images, secrets, runtimes."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes_cluster import IMAGE, KubernetesCluster, cluster_for_tests

from lockgate.backends.contract import Backend
from lockgate.backends.registry import load_backend
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job
from lockgate.runs.jobscript import base_environment, job_script
from lockgate.runs.workspace import lay_out
from lockgate.testing.bench import LONG, BackendBench, News, ends

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[KubernetesCluster]:
    with cluster_for_tests() as cluster:
        yield cluster


class TestFaults(BackendBench):
    deadline_s = 180.0

    @pytest.fixture(autouse=True)
    def _use(self, cluster: KubernetesCluster, tmp_path: Path) -> Iterator[None]:
        self.cluster = cluster
        with cluster.namespace() as self.namespace:
            common: dict[str, object] = {
                "kubeconfig": str(cluster.kubeconfig),
                "namespace": self.namespace,
                "image": IMAGE,
                "image_pull_policy": "Never",
            }
            self.options = common | {"shared": [{"path": str(tmp_path), "host_path": str(tmp_path)}]}
            with socket.socket() as free:
                free.bind((cluster.hub_address, 0))
                self.carried = common | {"serve": f"{cluster.hub_address}:{free.getsockname()[1]}"}
            yield

    def backend(self) -> Backend:
        return load_backend("kubernetes")

    def kubectl(self, *words: str) -> str:
        return self.cluster.kubectl("--namespace", self.namespace, *words)

    def test_a_pod_that_somebody_deletes_is_lost_and_not_started_again(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo ran; echo ran >> ../count; {LONG}")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_said(backend, job, "ran", news)
        self.kubectl("delete", "pods", "--all", "--wait=false", "--grace-period=1")
        record = self.until_ended(backend, news=news)[job.folder]
        assert record.cause == "vanished" and "was deleted" in (record.detail or ""), record
        assert (tmp_path / "job/count").read_text() == "ran\n"

    def test_a_job_that_somebody_deletes_is_lost(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo ran; {LONG}")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_said(backend, job, "ran", news)
        self.kubectl("delete", "jobs", "--all", "--wait=false")
        record = self.until_ended(backend, news=news)[job.folder]
        assert record.cause == "vanished" and "deleted" in (record.detail or ""), record

    def test_why_it_waits(self, tmp_path: Path) -> None:
        many_cpus = self.job(tmp_path / "cpus", "true", resources=Resources(cpus=1000))
        elsewhere = self.job(tmp_path / "node", "true", options=self.options | {"node_selector": {"a": "b"}})
        no_image = self.job(
            tmp_path / "image", "true", options=self.options | {"image": "localhost/no-such:1"}
        )
        no_secret = self.job(tmp_path / "secret", "true", options=self.options | {"secrets": {"A": "db/key"}})
        no_volume = self.job(
            tmp_path / "volume",
            "true",
            options=self.options | {"shared": [{"path": str(tmp_path), "claim": "no-such-claim"}]},
        )
        jobs = [many_cpus, elsewhere, no_image, no_secret, no_volume]
        words = {
            many_cpus.folder: "1 with too little free cpus",
            elsewhere.folder: "1 with another node_selector",
            no_image.folder: "its image is not on the node",
            no_secret.folder: 'lacks something it names: secret "db" not found',
            no_volume.folder: '"no-such-claim" not found',
        }
        backend = self.opened()
        backend.submit(jobs)
        folders = list(words)

        def are_told(_: News) -> bool:
            why = backend.why_pending(folders)
            return all(said in why.get(folder, "") for folder, said in words.items())

        try:
            self.until(backend, are_told)
        except AssertionError:
            assert backend.why_pending(folders) == words
        backend.cancel(folders)
        assert {each.cause for each in self.until_ended(backend, len(words)).values()} == {"cancelled"}

    def test_a_secret_and_a_quota(self, tmp_path: Path) -> None:
        self.kubectl("create", "secret", "generic", "db", "--from-literal=key=s3cr3t")
        secrets = {"secrets": {"A": "db/key"}, "secret_files": {"/run/db": "db"}}
        job = self.job(tmp_path / "job", "echo $A; cat /run/db/key", options=self.options | secrets)
        backend = self.opened()
        assert self.run(backend, job)[job.folder].is_success
        assert self.log(job) == "s3cr3t\ns3cr3t"
        self.kubectl("create", "quota", "none", "--hard=pods=0")
        held = self.job(tmp_path / "held", "true")
        backend.submit([held])
        self.until(
            backend, lambda _: "exceeded quota" in backend.why_pending([held.folder]).get(held.folder, "")
        )
        backend.cancel([held.folder])
        self.until_ended(backend)

    def test_memory_is_told_in_numbers(self, tmp_path: Path) -> None:
        grow = f"x=$(head -c 90000000 /dev/zero | tr '\\0' x); {LONG}; echo ${{#x}}"
        job = self.job(tmp_path / "job", grow, resources=Resources(memory_bytes=40_000_000))
        record = self.run(self.opened(), job)[job.folder]
        assert (record.cause, record.detail) == ("memory", "killed at 40.0 MB, asked for 40.0 MB")

    def test_a_namespace_that_is_not_there_is_refused_with_its_words(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "true", options=self.options | {"namespace": "no-such"})
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "refused" and 'namespaces "no-such" not found' in (record.detail or "")

    @pytest.mark.parametrize("is_carried", [False, True])
    def test_a_runtime_whose_python_the_image_lacks_is_refused(
        self, tmp_path: Path, is_carried: bool
    ) -> None:
        job = self.job_with_runtime(tmp_path, "/nowhere/bin/python3.99", "3.99.1", is_carried)
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "refused" and "/nowhere/bin/python3.99" in (record.detail or ""), record

    def test_a_carried_runtime_finds_the_python_of_its_version(self, tmp_path: Path) -> None:
        version = "{}.{}.{}".format(*sys.version_info)
        job = self.job_with_runtime(tmp_path, "/nowhere/bin/python3", version, is_carried=True)
        record = self.run(self.opened(), job)[job.folder]
        assert record.is_success, (record, self.log(job))
        assert self.log(job).splitlines() == [str(tmp_path / "runtimes/d/venv"), "hello"]

    def test_a_carried_runtime_of_the_hub_works_as_it_is(self, tmp_path: Path) -> None:
        job = self.job_with_runtime(tmp_path, None, "", is_carried=True)
        record = self.run(self.opened(), job)[job.folder]
        assert record.is_success, (record, self.log(job))

    def test_of_many_members_exactly_the_cancelled_end(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), LONG if n == 3 else "echo ran") for n in range(4)]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        self.until(backend, lambda news: bool(news), news)
        backend.cancel([jobs[3].folder])
        records = self.until_ended(backend, 4, news)
        assert [records[job.folder].cause for job in jobs] == [None, None, None, "cancelled"]
        assert len(ends(news)) == 4

    def job_with_runtime(self, folder: Path, python: str | None, version: str, is_carried: bool) -> Job:
        """Lay out a job with a virtual environment, whose base interpreter may be somewhere else."""
        venv = folder / "runtimes/d/venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", venv], check=True)
        (site,) = venv.glob("lib/python*/site-packages")
        (site / "hello.py").write_text("print('hello')\n")
        if python is not None:
            for link in (venv / "bin").glob("python*"):
                link.unlink()
                link.symlink_to(python)
            (venv / "pyvenv.cfg").write_text(f"home = /nowhere/bin\nversion = {version}\n")
        environment, inside = base_environment(
            run="01RUN", stage="s", cpus=1, source_date_epoch=0, runtime_bin=venv / "bin"
        )
        command = "python -c 'import sys; print(sys.prefix); import hello'"
        lay_out(folder / "job", job_script(command, environment, from_folder=inside), ())
        options = self.carried if is_carried else self.options
        return Job("01RUN", "s", str(folder / "job"), Resources(), options)
