"""The local backend against the suite that every backend must pass, with jobs that are isolated."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import test_local_backend
from isolation import require_isolation

from lockgate.backends import local_process, processes
from lockgate.backends.contract import Backend
from lockgate.backends.local import LocalBackend
from lockgate.project.pipeline import Resources
from lockgate.runs import exitrecord
from lockgate.runs.isolation import Isolation
from lockgate.runs.job import ExitRecord, Job
from lockgate.testing.backends import BackendContract
from lockgate.testing.bench import LONG, BackendBench

pytestmark = pytest.mark.slow
_Local = test_local_backend.TestLocalBackend


class IsolatedBench(BackendBench):
    sees_processes = False  # by the pids they have for themselves

    @pytest.fixture(autouse=True)
    def _isolation(self, tmp_path: Path) -> None:
        require_isolation()
        self.hub = tmp_path
        self.secret = tmp_path / "key"
        self.secret.write_text("secret")
        self.isolation = Isolation(hub=os.fspath(tmp_path), is_tried=True, is_root=os.geteuid() == 0)

    def backend(self) -> Backend:
        return LocalBackend(cpus=self.cpus, memory_bytes=4_000_000_000, grace_s=0.5)


def left_of(job: Job) -> dict[int, float]:
    return processes.marked(processes.scan().values(), local_process.mark_of(job.folder))


class TestIsolatedContract(IsolatedBench, BackendContract):
    test_a_term_to_the_whole_group_still_leaves_a_record = (
        _Local.test_a_term_to_the_whole_group_still_leaves_a_record
    )
    test_the_command_killed_from_outside = _Local.test_the_command_killed_from_outside
    test_walltime_gives_time_to_save = _Local.test_walltime_gives_time_to_save
    test_walltime_of_a_job_deaf_to_sigterm = _Local.test_walltime_of_a_job_deaf_to_sigterm
    test_a_stopped_job_is_ended_too = _Local.test_a_stopped_job_is_ended_too
    test_a_stopped_job_has_time_to_save = _Local.test_a_stopped_job_has_time_to_save
    test_a_job_ignores_no_signal_that_the_hub_ignores = (
        _Local.test_a_job_ignores_no_signal_that_the_hub_ignores
    )
    test_the_peak_is_the_jobs_and_not_the_hubs = _Local.test_the_peak_is_the_jobs_and_not_the_hubs
    test_memory_is_that_of_the_whole_tree = _Local.test_memory_is_that_of_the_whole_tree
    test_shared_memory_counts_once = _Local.test_shared_memory_counts_once
    test_cancel_by_a_process_that_never_attached = _Local.test_cancel_by_a_process_that_never_attached

    def end_of(self, backend: Backend, folder: str) -> ExitRecord:
        return self.until_ended(backend)[folder]

    def test_it_is_isolated(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"cat {self.secret}; ls {self.hub}; echo made > made")
        assert self.run(self.opened(), job)[job.folder].is_success
        assert "secret" not in self.log(job) and self.log(job).endswith("No such file or directory\njob\n")
        assert (tmp_path / "job/workspace/made").read_text() == "made\n"

    def test_nothing_is_left_of_it(self, tmp_path: Path) -> None:
        for name, command in {
            "child": f"sh -c 'echo $$ > child; {LONG}' & until [ -s child ]; do :; done",
            "daemon": f"(setsid sh -c 'echo $$ > child; {LONG}' &); until [ -s child ]; do :; done",
        }.items():
            job = self.job(tmp_path / name, command)
            backend = self.opened()
            assert self.run(backend, job)[job.folder].is_success
            self.until(backend, lambda _, job=job: not left_of(job))  # type: ignore[misc]

    def test_nothing_is_left_of_one_that_is_cancelled(self, tmp_path: Path) -> None:
        deaf = f"trap '' TERM; (setsid sh -c 'trap \"\" TERM; echo begun; {LONG}' &); {LONG}"
        job = self.job(tmp_path / "job", deaf)
        backend = self.opened()
        backend.submit([job])
        self.until_said(backend, job, "begun")
        assert left_of(job)
        backend.cancel([job.folder])
        assert self.end_of(backend, job.folder).cause == "cancelled"
        self.until(backend, lambda _: not left_of(job))

    def test_nothing_is_left_when_its_shell_is_killed(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend = self.opened()
        backend.submit([job])
        self.until_said(backend, job, "begun")
        os.kill(int((tmp_path / "job/pid").read_text()), signal.SIGKILL)
        record = self.end_of(backend, job.folder)
        assert (record.code, record.signal) == (None, signal.SIGKILL)
        self.until(backend, lambda _: not left_of(job))

    def test_its_cpu_time_is_told(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
        assert (self.run(self.opened(), job)[job.folder].cpu_time_s or 0) > 0.05

    def test_it_cannot_write_to_its_folder(self, tmp_path: Path) -> None:
        job = self.job(
            tmp_path / "job", "echo 'exit 0' > ../job.sh; rm ../pid; chmod a-w ..; mkdir ../exit; exit 4"
        )
        script = (tmp_path / "job/job.sh").read_bytes()
        record = self.run(self.opened(), job)[job.folder]
        assert record.code == 4 and exitrecord.read(job.folder) == record
        assert (tmp_path / "job/job.sh").read_bytes() == script
        assert self.log(job).count("Read-only file system") == 4

    def test_it_is_not_run_where_it_cannot_be_isolated(self, tmp_path: Path) -> None:
        gone = tmp_path / "no such program"
        self.isolation = Isolation(hub=os.fspath(tmp_path), is_required=True)
        job = self.job(tmp_path / "job", "echo ran > ran")
        script = (tmp_path / "job/job.sh").read_text()
        (tmp_path / "job/job.sh").write_text(script.replace("/bwrap", f"/{gone.name.replace(' ', '-')}"))
        assert self.run(self.opened(), job)[job.folder].code == 69
        assert self.log(job).startswith("lockgate: this job has to be isolated and cannot be on ")
        assert not (tmp_path / "job/workspace/ran").exists()

    def test_where_it_need_not_be_it_runs_and_says_so(self, tmp_path: Path) -> None:
        self.isolation = Isolation(hub=os.fspath(tmp_path))
        job = self.job(tmp_path / "job", "echo ran", resources=Resources(walltime_s=60))
        script = (tmp_path / "job/job.sh").read_text()
        (tmp_path / "job/job.sh").write_text(script.replace("/bwrap", "/no-such-program"))
        assert self.run(self.opened(), job)[job.folder].is_success
        first, last = self.log(job).splitlines()
        assert first.startswith("lockgate: this job is not isolated on ") and last == "ran"

    def test_where_the_hub_is_not_there_is_nothing_to_hide(self, tmp_path: Path) -> None:
        self.isolation = Isolation(hub=f"{tmp_path}/elsewhere", is_required=True)
        job = self.job(tmp_path / "job", f"cat {self.secret}")
        assert self.run(self.opened(), job)[job.folder].is_success
        assert self.log(job) == "secret"
