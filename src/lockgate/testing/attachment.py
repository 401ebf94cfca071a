"""What every backend must do for a process that comes after the one that submitted the jobs."""

from __future__ import annotations

import time
from pathlib import Path

from lockgate.backends.contract import Ended
from lockgate.project.pipeline import Resources
from lockgate.runs import exitrecord
from lockgate.testing.bench import LONG, BackendBench, ends


class AttachmentTests(BackendBench):
    """Jobs are taken up again by a second backend, and run once whatever happens."""

    def test_submitted_twice_runs_once(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo ran; sleep {self.brief_s}")
        first, second = self.opened(), self.opened()
        first.submit([job])
        first.submit([job, job])
        self.until_said(first, job, "ran")
        second.submit([job])
        news = self.until(first, lambda news: bool(ends(news)))
        assert [each.folder for each in news if isinstance(each, Ended)] == [job.folder]
        assert self.until_ended(second)[job.folder].is_success
        assert self.log(job) == "ran\n"

    def test_attach_to_a_job_never_started(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran")
        backend = self.opened()
        backend.attach([job])
        assert self.until_ended(backend)[job.folder].is_success
        assert self.log(job) == "ran\n"

    def test_attach_to_a_running_job(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo ran; sleep {self.brief_s}; exit 7")
        first = self.opened()
        first.submit([job])
        self.until_said(first, job, "ran")
        self.closed(first)
        second = self.opened()
        second.attach([job])
        record = self.until_ended(second)[job.folder]
        assert (record.code, record.cause) == (7, None)
        assert self.log(job) == "ran\n"

    def test_attach_keeps_the_walltime(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}", resources=Resources(walltime_s=2))
        first = self.opened()
        first.submit([job])
        self.until_said(first, job, "begun")
        self.closed(first)
        second = self.opened()
        second.attach([job])
        assert self.until_ended(second)[job.folder].cause == "walltime"

    def test_attach_and_cancel(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"setsid sh -c 'echo pid $$; {LONG}' & {LONG}")
        first = self.opened()
        first.submit([job])
        self.until_said(first, job, "\n")
        self.closed(first)
        second = self.opened()
        second.attach([job])
        second.cancel([job.folder])
        assert self.until_ended(second)[job.folder].cause == "cancelled"
        if self.sees_processes:
            self.until_gone(int(self.log(job).split()[1]))

    def test_attach_to_a_job_that_ended(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran; exit 3")
        record = self.run(self.opened(), job)[job.folder]
        second = self.opened()
        second.attach([job])
        assert self.until_ended(second)[job.folder] == record
        assert self.log(job) == "ran\n"

    def test_attach_to_a_job_that_ended_while_nobody_watched(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo ran; sleep {self.brief_s}; exit 3")
        first = self.opened()
        first.submit([job])
        self.until_said(first, job, "ran")
        self.closed(first)
        time.sleep(2 * self.brief_s)
        second = self.opened()
        second.attach([job])
        record = self.until_ended(second)[job.folder]
        assert record.code == 3
        assert self.log(job) == "ran\n"
        assert exitrecord.read(job.folder) == record

    def test_attach_to_a_job_that_vanished(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran")
        self.make_vanished(job)
        backend = self.opened()
        backend.attach([job])
        record = self.until_ended(backend)[job.folder]
        assert record.cause == "vanished" and record.detail and not record.is_success
        assert not (tmp_path / "job/output.log").exists()
