"""A Dask cluster of Lockgate's own: started by the first job, found again by the next process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.dask import own_cluster
from lockgate.backends.dask.system import DaskSystem
from lockgate.errors import OutsideError
from lockgate.testing.bench import BackendBench

pytest.importorskip("distributed", reason="NOT TESTED: Dask: not installed")


class TestOwnCluster(BackendBench):
    options = {"workers": 1, "threads": 1, "timeout": 20}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _state(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        yield
        for backend in self._backends:
            backend.close()
        self._backends.clear()
        own_cluster.stop()

    def backend(self) -> Backend:
        return BatchBackend(DaskSystem(), lag_s=4)

    def test_it_outlives_who_started_it(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo ran; sleep {self.brief_s}; exit 7")
        first = self.opened()
        first.submit([job])
        self.until_said(first, job, "ran")
        processes = (tmp_path / "state/lockgate/dask/processes.json").read_bytes()
        self.closed(first)
        second = self.opened()
        second.attach([job])
        assert self.until_ended(second)[job.folder].code == 7
        assert (tmp_path / "state/lockgate/dask/processes.json").read_bytes() == processes

    def test_a_cluster_that_cannot_start_says_where_to_look(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.executable", "/bin/false")
        job = self.job(tmp_path / "job", "echo ran", options={"workers": 1})
        backend = self.opened()
        backend.submit([job])
        with pytest.raises(OutsideError, match=r"did not come up; .*/lockgate/dask/log says why"):
            while True:
                backend.poll()
