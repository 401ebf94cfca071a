"""Real Slurm, with and without accounting, against the suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import slurm_service
from slurm_service import Slurm

from lockgate.backends.contract import Backend
from lockgate.backends.registry import load_backend
from lockgate.project.pipeline import Resources
from lockgate.testing.backends import BackendContract

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class SlurmContract(BackendContract):
    """What is alike whether there is accounting or not."""

    cpus = 8
    many = 40
    refused_options = {"partition": "no-such-partition"}  # noqa: RUF012
    excess_resources = Resources(memory_bytes=10**13)

    @pytest.fixture(autouse=True)
    def _use(self, service: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.slurm = service
        self.notes = tmp_path / "calls"
        service.count_calls(self.notes, tmp_path / "counting", monkeypatch)
        yield
        service.clear()

    def backend(self) -> Backend:
        return load_backend("slurm")

    def outage(self) -> AbstractContextManager[None]:
        return self.slurm.outage()

    def call_count(self) -> int:
        return len(self.notes.read_text().splitlines()) if self.notes.exists() else 0


class TestWithoutAccounting(SlurmContract):
    @pytest.fixture(scope="class")
    @classmethod
    def service(cls) -> Iterator[Slurm]:
        with slurm_service.for_tests("--cpus", "8") as slurm:
            yield slurm


class TestWithAccounting(SlurmContract):
    @pytest.fixture(scope="class")
    @classmethod
    def service(cls) -> Iterator[Slurm]:
        with slurm_service.for_tests("--cpus", "8", accounting=True) as slurm:
            yield slurm
