"""HTCondor against the suite that every backend must pass: by bindings and by commands, sharing files and
carrying them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from htcondor_pool import Pool, pool_for_tests
from ordinary_user import job_folder

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.htcondor.access import Way
from lockgate.backends.htcondor.system import HTCondorSystem
from lockgate.testing.backends import BackendContract

pytestmark = [pytest.mark.batch, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with pool_for_tests() as pool:
        yield pool


class HTCondorContract(BackendContract):
    way: Way
    pool: Pool
    deadline_s = 120.0
    many = 40
    refuses_excess = False
    refused_options = {"universe": "vanilla", "colour": "red"}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _pool(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pool = pool
        if self.way == "bindings" and importlib.util.find_spec("htcondor2") is None:
            pytest.skip("NOT TESTED: HTCondor's bindings: htcondor2 is not installed")
        pool.calls_path.unlink(missing_ok=True)
        monkeypatch.setenv("LOCKGATE_HTCONDOR_CALLS", os.fspath(pool.calls_path))

    @pytest.fixture
    def tmp_path(self, _pool: None) -> Iterator[Path]:
        with job_folder() as folder:
            yield folder

    def backend(self) -> Backend:
        return BatchBackend(HTCondorSystem(self.way))

    def outage(self) -> AbstractContextManager[None]:
        @contextlib.contextmanager
        def down() -> Iterator[None]:
            self.pool.signal("condor_master", "STOP")
            self.pool.kill("condor_schedd")
            yield
            self.pool.signal("condor_master", "CONT")

        return down()


class TestByCommands(HTCondorContract):
    way = "commands"

    def call_count(self) -> int:
        path = self.pool.calls_path
        return len(path.read_text().splitlines()) if path.exists() else 0


class TestByBindings(HTCondorContract):
    way = "bindings"


class TestByCommandsCarryingFiles(HTCondorContract):
    way = "commands"
    options = {"transfer": True}  # noqa: RUF012


class TestByBindingsCarryingFiles(HTCondorContract):
    way = "bindings"
    options = {"transfer": True}  # noqa: RUF012
