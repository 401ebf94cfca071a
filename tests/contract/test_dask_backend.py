"""Dask, a scheduler and two workers, against the suite that every backend must pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import dask_service
import pytest
from dask_service import Cluster

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend, Started
from lockgate.backends.dask.system import DaskSystem
from lockgate.project.pipeline import Resources
from lockgate.testing.backends import BackendContract
from lockgate.testing.bench import LONG, News, ends

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with dask_service.for_tests() as cluster:
        yield cluster


class TestDask(BackendContract):
    """Two workers that declare two cpus each: a job may ask for two, and four are in use at a time."""

    refuses_excess = False
    refused_options = {"schedular": "tcp://127.0.0.1:8786"}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _use(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.options = cluster.options

    def backend(self) -> Backend:
        return BatchBackend(DaskSystem(), lag_s=4)

    def outage(self) -> AbstractContextManager[None]:
        return self.cluster.outage()

    def test_cancel_before_it_started(self, tmp_path: Path) -> None:
        all_of_it = Resources(cpus=self.cpus)
        before = [self.job(tmp_path / str(n), f"echo begun; {LONG}", resources=all_of_it) for n in range(2)]
        last = self.job(tmp_path / "last", "echo ran > ran", resources=all_of_it)
        backend, news = self.opened(), News()
        backend.submit(before)
        for job in before:
            self.until_said(backend, job, "begun", news)
        backend.submit([last])
        self.until(
            backend, lambda _: "worker" in backend.why_pending([last.folder]).get(last.folder, ""), news
        )
        backend.cancel([last.folder])
        assert self.until_ended(backend, 1, news)[last.folder].cause == "cancelled"
        backend.cancel([job.folder for job in before])
        records = self.until_ended(backend, 3, news)
        assert {record.cause for record in records.values()} == {"cancelled"}
        assert not (tmp_path / "last/workspace/ran").exists()
        assert last.folder not in {each.folder for each in news if isinstance(each, Started)}

    def test_never_more_cpus_than_there_are(self, tmp_path: Path) -> None:
        command = "date +%s.%N > begin; sleep 0.3; date +%s.%N > end"
        jobs = [
            self.job(tmp_path / str(n), command, resources=Resources(cpus=1 + n % self.cpus))
            for n in range(8)
        ]
        assert all(record.is_success for record in self.run(self.opened(), *jobs).values())
        changes = []
        for job in jobs:
            for name, sign in (("begin", 1), ("end", -1)):
                at = float(Path(job.folder, "workspace", name).read_text())
                changes.append((at, sign * job.resources.cpus))
        used = 0
        for _, cpus in sorted(changes):
            used += cpus
            assert used <= len(dask_service.WORKERS) * self.cpus

    def test_gpus_that_no_worker_has_are_waited_for(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "true", resources=Resources(gpus=1))
        backend, news = self.opened(), News()
        backend.submit([job])
        words = "waits: no worker declares CPU=1, GPU=1"
        self.until(backend, lambda _: backend.why_pending([job.folder]).get(job.folder) == words, news)
        backend.cancel([job.folder])
        assert self.until_ended(backend, 1, news)[job.folder].cause == "cancelled"
        assert ends(news).keys() == {job.folder}
