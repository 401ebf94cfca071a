"""A matrix as one Indexed Job on a real node; skipped where the server lets no index fail alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import LINGER_S, Place
from kubernetes_cluster import IMAGE, KubernetesCluster, cluster_for_tests

from lockgate.backends.contract import Backend, Started
from lockgate.backends.kubernetes.manifest import has_indexes
from lockgate.backends.registry import load_backend
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job
from lockgate.testing.bench import LONG, BackendBench, News

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]

_MATRIX = """\
[batch]
backend = "kubernetes"
[batch.kubernetes]
kubeconfig = "%s"
namespace = "%s"
image = "%s"
image_pull_policy = "Never"
runtime = "image"
shared = [{ path = "%s", host_path = "%s" }]

[stages.try]
run = "case {n} in 3|11) exit $(({n} + 1)) ;; esac; echo {n} > out-{n}"
makes = ["out-{n}"]
needs = ["i"]
matrix = { n = [%s] }
"""


#: All members run at once, on a node of two cores too.
_LIGHT = Resources(cpus=0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KubernetesCluster]:
    with cluster_for_tests() as cluster:
        if not has_indexes(cluster.version()):
            pytest.skip(
                f"NOT TESTED: Kubernetes {cluster.version()} lets no index of a Job fail alone; "
                "KUBERNETES_BIN names the programs of a newer one"
            )
        yield cluster


class TestIndexed(BackendBench):
    deadline_s = 180.0

    @pytest.fixture(autouse=True)
    def _use(self, cluster: KubernetesCluster, tmp_path: Path) -> Iterator[None]:
        self.cluster = cluster
        with cluster.namespace() as self.namespace:
            self.options = {
                "kubeconfig": str(cluster.kubeconfig),
                "namespace": self.namespace,
                "image": IMAGE,
                "image_pull_policy": "Never",
                "shared": [{"path": str(tmp_path), "host_path": str(tmp_path)}],
            }
            yield

    def backend(self) -> Backend:
        return load_backend("kubernetes")

    def kubectl(self, *words: str, said: str | None = None) -> str:
        return self.cluster.kubectl("--namespace", self.namespace, *words, said=said)

    def pod_of(self, index: int) -> str:
        return self.kubectl(
            "get", "pods", "-l", f"batch.kubernetes.io/job-completion-index={index}", "-o", "name"
        ).strip()

    def until_all_say(self, backend: Backend, jobs: list[Job], text: str, news: News) -> None:
        for job in jobs:
            self.until_said(backend, job, text, news)

    def test_a_matrix_is_one_job_and_each_member_ends_as_it_does(self, tmp_path: Path) -> None:
        codes = {3: 7, 11: 13}
        jobs = [
            self.job(tmp_path / str(n), f"echo I am {n}; exit {codes.get(n, 0)}", stage=f"try@n={n}")
            for n in range(20)
        ]
        records = self.run(self.opened(), *jobs)
        assert [records[job.folder].code for job in jobs] == [codes.get(n, 0) for n in range(20)]
        assert [self.log(job) for job in jobs] == [f"I am {n}\n" for n in range(20)]
        (made,) = self.cluster.get("jobs", "--namespace", self.namespace)["items"]
        assert made["spec"]["completionMode"] == "Indexed" and made["spec"]["backoffLimitPerIndex"] == 0
        self.kubectl("wait", f"job/{made['metadata']['name']}", "--for=condition=Failed", "--timeout=60s")
        (made,) = self.cluster.get("jobs", "--namespace", self.namespace)["items"]
        status = made["status"]
        assert (status["failedIndexes"], status["completedIndexes"]) == ("3,11", "0-2,4-10,12-19")
        pods = self.cluster.get("pods", "--namespace", self.namespace)["items"]
        assert len(pods) == 20

    def test_members_end_one_by_one_when_cancelled_and_the_rest_with_their_job(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"echo ran; {LONG}", resources=_LIGHT) for n in range(4)]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        self.until_all_say(backend, jobs, "ran", news)
        backend.cancel([jobs[1].folder, jobs[2].folder])
        records = self.until_ended(backend, 2, news)
        assert {Path(folder).name: each.cause for folder, each in records.items()} == {
            "1": "cancelled",
            "2": "cancelled",
        }
        (made,) = self.cluster.get("jobs", "--namespace", self.namespace)["items"]
        assert not any(each["status"] == "True" for each in made["status"].get("conditions", []))
        backend.cancel([jobs[0].folder, jobs[3].folder])
        records = self.until_ended(backend, 4, news)
        assert {each.cause for each in records.values()} == {"cancelled"}
        assert len([each for each in news if isinstance(each, Started)]) == 4
        assert [self.log(job).count("ran") for job in jobs] == [1, 1, 1, 1]

    def test_a_lost_member_is_tried_again_alone_and_the_others_go_on(self, tmp_path: Path) -> None:
        jobs = [
            self.job(tmp_path / str(n), f"echo ran >> ../../count-{n}; {_UNTIL_GO}", resources=_LIGHT)
            for n in range(3)
        ]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        for n in range(3):
            self.until_exists(backend, tmp_path / f"count-{n}", news)
        self.kubectl("delete", self.pod_of(1), "--wait=false", "--grace-period=1")
        lost = self.until_ended(backend, 1, news)
        assert [(Path(folder).name, each.cause) for folder, each in lost.items()] == [("1", "vanished")]
        assert "was deleted before it had ended" in (lost[jobs[1].folder].detail or "")
        again = self.job(tmp_path / "again", "true")
        backend.submit([again])
        (tmp_path / "go").touch()
        records = self.until_ended(backend, 4, news)
        assert all(records[each.folder].is_success for each in (jobs[0], jobs[2], again)), records
        assert (tmp_path / "count-1").read_text() == "ran\n"

    def test_an_eviction_by_the_api_is_told_with_the_cluster_s_words(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"echo ran; {_UNTIL_GO}") for n in range(2)]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        self.until_all_say(backend, jobs, "ran", news)
        name = self.pod_of(0).partition("/")[2]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": self.namespace},
        }
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/eviction"
        self.kubectl("create", "--raw", path, "-f", "-", said=json.dumps(eviction))
        record = self.until_ended(backend, 1, news)[jobs[0].folder]
        assert record.cause == "vanished" and "EvictionByEvictionAPI" in (record.detail or ""), record
        (tmp_path / "go").touch()
        assert self.until_ended(backend, 2, news)[jobs[1].folder].is_success

    def test_a_member_that_fills_the_disk_is_evicted_and_its_node_named(self, tmp_path: Path) -> None:
        limits = {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "disk"},
            "spec": {"limits": [{"type": "Container", "default": {"ephemeral-storage": "1Mi"}}]},
        }
        self.kubectl("create", "--validate=false", "-f", "-", said=json.dumps(limits))
        fill = f"head -c 9000000 /dev/zero > /tmp/full; {LONG}"
        jobs = [self.job(tmp_path / str(n), fill if n == 1 else "true") for n in range(2)]
        records = self.run(self.opened(), *jobs)
        assert records[jobs[0].folder].is_success
        record = records[jobs[1].folder]
        assert record.cause == "vanished", record
        assert (record.detail or "").startswith("evicted from node-1: "), record
        assert "ephemeral" in (record.detail or ""), record

    def test_a_member_out_of_memory_is_told_in_numbers(self, tmp_path: Path) -> None:
        grow = f"x=$(head -c 90000000 /dev/zero | tr '\\0' x); {LONG}; echo ${{#x}}"
        small = Resources(memory_bytes=40_000_000)
        jobs = [self.job(tmp_path / str(n), grow if n == 1 else "true", resources=small) for n in range(3)]
        records = self.run(self.opened(), *jobs)
        assert [records[job.folder].cause for job in jobs] == [None, "memory", None]
        assert records[jobs[1].folder].detail == "killed at 40.0 MB, asked for 40.0 MB"

    def test_members_that_no_node_can_hold_say_why_each(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), "true", resources=Resources(cpus=1000)) for n in range(3)]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        folders = [job.folder for job in jobs]

        def are_told(_: News) -> bool:
            why = backend.why_pending(folders)
            return all("1 with too little free cpus" in why.get(folder, "") for folder in folders)

        self.until(backend, are_told, news)
        backend.cancel(folders)
        assert {each.cause for each in self.until_ended(backend, 3, news).values()} == {"cancelled"}

    def test_a_waiting_member_whose_pod_is_deleted_is_lost_while_others_wait(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), "true", resources=Resources(cpus=1000)) for n in range(3)]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        self.until(backend, lambda _: bool(self.pod_of(1)), news)
        self.kubectl("delete", self.pod_of(1), "--wait=false")
        lost = self.until_ended(backend, 1, news)
        assert [(Path(folder).name, each.cause) for folder, each in lost.items()] == [("1", "vanished")]
        backend.cancel([jobs[0].folder, jobs[2].folder])
        self.until_ended(backend, 3, news)

    def test_an_ended_job_is_cleaned_up_and_no_member_is_lost_by_it(self, tmp_path: Path) -> None:
        options = self.options | {"keep_s": 60}
        jobs = [
            self.job(tmp_path / str(n), f"exit {n}", options=options, resources=Resources(cpus=1))
            for n in range(2)
        ]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        self.until_ended(backend, 2, news)
        self.until(backend, lambda _: not self.kubectl("get", "jobs,pods", "-o", "name").strip(), news)
        assert [each for each in backend.poll() if not isinstance(each, Started)] == []


#: Runs until a file `go` lies beside the job's folder.
_UNTIL_GO = "i=0; while [ ! -e ../../go ] && [ $i -lt 1200 ]; do sleep 0.05; i=$((i+1)); done"


def test_a_pushed_matrix_is_one_job_and_its_good_members_are_kept(
    cluster: KubernetesCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    place = Place(tmp_path)
    try:
        with cluster.namespace() as namespace:
            members = ", ".join(str(n) for n in range(20))
            manifest = _MATRIX % (cluster.kubeconfig, namespace, IMAGE, tmp_path, tmp_path, members)
            tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
            tree.git("push", "hub", "main")
            place.settle(deadline_s=600)
            run = place.runs()[-1]
            states = place.states(run.request.id)
            failed = {stage for stage, state in states.items() if state == "failed"}
            assert run.state == "failed" and len(states) == 20
            assert {_member(stage) for stage in failed} == {3, 11}
            assert {state for stage, state in states.items() if stage not in failed} == {"succeeded"}
            told = tree.lockgate("show", "latest").out
            assert all(stage in told for stage in failed)
            assert len(cluster.get("jobs", "--namespace", namespace)["items"]) == 1
            assert tree.lockgate("run", code=None).code != 0
            rerun = place.states(place.runs()[-1].request.id)
            assert {_member(stage) for stage, state in rerun.items() if state != "cached"} == {3, 11}
    finally:
        place.close()


def _member(stage: str) -> int:
    return int("".join(filter(str.isdigit, stage)))
