"""What every backend must do, as tests with real jobs. Subclass `BackendContract` and run pytest.

class TestMyBackend(BackendContract):
    def backend(self) -> Backend:
        return MyBackend()
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from lockgate.backends.contract import Ended, Started
from lockgate.project.pipeline import Resources
from lockgate.runs import exitrecord
from lockgate.runs.job import Job
from lockgate.runs.jobscript import OBSERVED, PROGRAMS
from lockgate.runs.workspace import Input
from lockgate.testing.attachment import AttachmentTests
from lockgate.testing.bench import LONG, News, ends
from lockgate.testing.crowd import CrowdTests


class BackendContract(AttachmentTests, CrowdTests):
    """The contract of `lockgate.backends.contract.Backend`; each test is given backends of its own."""

    def test_success(self, tmp_path: Path) -> None:
        job = self.job(
            tmp_path / "job", "cat in; cat in > out", inputs=(Input("in", content=lambda: b"hello\n"),)
        )
        before = time.time()
        record = self.run(self.opened(), job)[job.folder]
        assert record.is_success
        assert (record.code, record.signal, record.cause) == (0, None, None)
        assert record.started_at is not None and record.ended_at is not None
        assert before - 5 <= record.started_at <= record.ended_at <= time.time() + 5
        assert (tmp_path / "job/workspace/out").read_bytes() == b"hello\n"
        assert self.log(job) == "hello\n"
        assert exitrecord.read(job.folder) == record

    def test_its_programs_come_along_and_its_notes_come_back(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"mkdir -p ../{OBSERVED}; sh ../{PROGRAMS}/say >../{OBSERVED}/calls")
        Path(job.folder, OBSERVED).mkdir()
        Path(job.folder, PROGRAMS, "say").write_text("echo said\n")
        assert self.run(self.opened(), job)[job.folder].is_success
        assert Path(job.folder, OBSERVED, "calls").read_text() == "said\n"

    def test_exit_code(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(code), f"exit {code}") for code in (1, 2, 75, 126, 255)]
        records = self.run(self.opened(), *jobs)
        assert [records[job.folder].code for job in jobs] == [1, 2, 75, 126, 255]
        assert not any(record.is_success for record in records.values())

    def test_signal(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "kill -SEGV $$")
        record = self.run(self.opened(), job)[job.folder]
        assert (record.code, record.signal, record.cause) == (None, signal.SIGSEGV, None)

    def test_a_command_that_does_not_exist_says_so_in_the_log(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "no-such-program-here")
        assert self.run(self.opened(), job)[job.folder].code == 127
        assert "no-such-program-here" in self.log(job)

    def test_the_log_is_there_while_it_runs(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_said(backend, job, "begun\n", news)
        assert not ends(news)
        backend.cancel([job.folder])
        assert self.until_ended(backend, news=news)[job.folder].cause == "cancelled"
        assert self.log(job).startswith("begun\n")

    def test_walltime_ends_it_and_keeps_its_output(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}", resources=Resources(walltime_s=1))
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "walltime" and not record.is_success
        assert record.detail and "walltime" in record.detail
        assert self.log(job).startswith("begun\n")

    def test_memory_ends_it(self, tmp_path: Path) -> None:
        if not self.enforces_memory:
            pytest.skip("this backend does not watch memory")
        grow = f"echo begun; x=$(head -c 60000000 /dev/zero | tr '\\0' x); {LONG}; echo ${{#x}}"
        job = self.job(tmp_path / "job", grow, resources=Resources(memory_bytes=30_000_000))
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "memory" and not record.is_success
        assert record.detail and "asked for 30.0 MB" in record.detail
        assert self.log(job).startswith("begun\n")

    def test_cancel_ends_the_whole_tree(self, tmp_path: Path) -> None:
        command = f"""
            sh -c 'echo pid $$; trap "" TERM; {LONG}' &
            setsid sh -c 'echo pid $$; {LONG}' &
            (setsid sh -c 'echo pid $$; trap "" TERM; {LONG}' &)
            echo pid $$
            wait
        """
        job = self.job(tmp_path / "job", command)
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until(backend, lambda _: _said(job).count("pid ") == 4 and _said(job).endswith("\n"), news)
        pids = [int(line.split()[1]) for line in self.log(job).splitlines()]
        backend.cancel([job.folder])
        record = self.until_ended(backend, news=news)[job.folder]
        assert record.cause == "cancelled" and not record.is_success
        if self.sees_processes:
            for pid in pids:
                self.until_gone(pid)

    def test_cancel_before_it_started(self, tmp_path: Path) -> None:
        first = self.job(tmp_path / "first", LONG, resources=Resources(cpus=self.cpus))
        second = self.job(tmp_path / "second", "echo ran > ran", resources=Resources(cpus=self.cpus))
        backend = self.opened()
        backend.submit([first, second])
        backend.cancel([second.folder, first.folder])
        news = self.until(backend, lambda news: len(ends(news)) == 2)
        assert {record.cause for record in ends(news).values()} == {"cancelled"}
        assert not (tmp_path / "second/workspace/ran").exists()
        assert second.folder not in {each.folder for each in news if isinstance(each, Started)}
        later = self.opened()
        later.submit([second])
        assert self.until_ended(later)[second.folder].cause == "cancelled"

    def test_cancel_of_what_has_ended_is_no_error(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "true")
        backend = self.opened()
        self.run(backend, job)
        backend.cancel([job.folder, f"{tmp_path}/never-heard-of"])
        backend.cancel([job.folder])
        assert job.folder not in ends(list(backend.poll()))
        record = exitrecord.read(job.folder)
        assert record is not None and record.is_success

    def test_what_a_job_leaves_running_ends_with_it(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"sh -c 'echo $$ > child; {LONG}' & until [ -s child ]; do :; done")
        assert self.run(self.opened(), job)[job.folder].is_success
        if self.sees_processes:
            self.until_gone(int((tmp_path / "job/workspace/child").read_text()))

    def test_why_pending(self, tmp_path: Path) -> None:
        big = Resources(cpus=self.cpus)
        first = self.job(tmp_path / "first", LONG, stage="train", resources=big)
        second = self.job(tmp_path / "second", "true", resources=big)
        backend = self.opened()
        backend.submit([first, second])
        words = backend.why_pending([first.folder, second.folder])
        assert words.get(second.folder)
        backend.cancel([first.folder])
        self.until_ended(backend, 2)
        assert not backend.why_pending([first.folder, second.folder])

    def test_started_comes_before_ended_and_each_once(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"sleep {self.brief_s}") for n in range(3)]
        backend = self.opened()
        backend.submit(jobs)
        news = self.until(backend, lambda news: len(ends(news)) == 3)
        backend.submit(jobs)
        backend.attach(jobs)
        news.extend(backend.poll())
        for job in jobs:
            about = [each for each in news if each.folder == job.folder]
            assert [type(each) for each in about] in ([Started, Ended], [Ended])

    def test_what_could_never_run(self, tmp_path: Path) -> None:
        backend = self.opened()
        job = self.job(tmp_path / "job", "echo ran > ran", resources=self.excess_resources)
        if self.refuses_excess:
            record = self.run(backend, job)[job.folder]
            assert record.cause == "refused" and record.detail
        else:
            backend.submit([job])
            self.until(backend, lambda _: bool(backend.why_pending([job.folder]).get(job.folder)))
            backend.cancel([job.folder])
            assert self.until_ended(backend)[job.folder].cause == "cancelled"
        assert not (tmp_path / "job/workspace/ran").exists()

    def test_options_that_are_refused(self, tmp_path: Path) -> None:
        if self.refused_options is None:
            pytest.skip("this backend has no options")
        job = self.job(tmp_path / "job", "echo ran > ran", options=self.refused_options)
        fine = self.job(tmp_path / "fine", "true")
        records = self.run(self.opened(), job, fine)
        assert records[job.folder].cause == "refused" and records[job.folder].detail
        assert records[fine.folder].is_success
        assert not (tmp_path / "job/workspace/ran").exists()

    def test_a_small_job_is_not_refused(self) -> None:
        job = Job("01RUN", "small", "/nowhere", Resources(cpus=1), self.options)
        assert self.opened().refuses(job) is None

    def test_folder_of_any_name(self, tmp_path: Path) -> None:
        command = 'test -d "$HOME" && echo x > "$TMPDIR/x" && cat in > out'
        inputs = (Input("in", content=lambda: b"1"),)
        jobs = [self.job(tmp_path / name, command, stage="s", inputs=inputs) for name in self.folder_names]
        records = self.run(self.opened(), *jobs)
        for job in jobs:
            assert records[job.folder].is_success, (job.folder, records[job.folder], _said(job))
            assert Path(job.folder, "workspace/out").read_bytes() == b"1"

    def test_an_outage_is_waited_out_and_told(self, tmp_path: Path) -> None:
        outage = self.outage()
        if outage is None:
            pytest.skip("the system behind this backend cannot be taken down")
        before = self.job(tmp_path / "before", f"echo begun; sleep {self.brief_s}; exit 7")
        during = self.job(tmp_path / "during", "echo ran")
        backend, news = self.opened(), News()
        backend.submit([before])
        self.until_said(backend, before, "begun", news)
        with outage:
            backend.submit([during])
            self.until(backend, lambda _: "tried again" in self._why(backend, during), news)
            assert during.folder not in ends(news)
        records = self.until_ended(backend, 2, news)
        assert records[before.folder].code == 7
        assert records[during.folder].is_success, records[during.folder]
        assert self.log(during) == "ran\n"

    def _why(self, backend: object, job: Job) -> str:
        words = backend.why_pending([job.folder])  # type: ignore[attr-defined]
        return str(words.get(job.folder, ""))


def _said(job: Job) -> str:
    log = Path(job.folder, "output.log")
    return log.read_text(errors="replace") if log.exists() else ""
