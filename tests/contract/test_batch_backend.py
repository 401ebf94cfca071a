"""What is made of any batch system, against the suite, and what it does with every fault of one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from msgspec.structs import replace
from spooler import Spooler, SpoolerSystem

from lockgate.backends import ledger
from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend, Ended, Started
from lockgate.errors import OutsideError
from lockgate.project.pipeline import Resources
from lockgate.testing.backends import BackendContract
from lockgate.testing.bench import LONG, News, ends


class TestBatchBackend(BackendContract):
    refused_options = {"word": 1}  # noqa: RUF012
    many = 30
    spooler: Spooler

    @pytest.fixture(autouse=True)
    def _spooler(self) -> Iterator[None]:
        self.spooler = Spooler(self.cpus)
        yield
        self.spooler.end()

    def backend(self) -> Backend:
        return BatchBackend(SpoolerSystem(self.spooler), lag_s=0.5)

    def outage(self) -> AbstractContextManager[None]:
        @contextlib.contextmanager
        def down() -> Iterator[None]:
            self.spooler.is_down = True
            yield
            self.spooler.is_down = False

        return down()

    def call_count(self) -> int:
        return len(self.spooler.calls)

    def heard(self, backend: Backend, news: News) -> OutsideError:
        """Poll until the backend complains; return that."""
        self.until(backend, lambda _: bool(self.complaints), news)
        return self.complaints[0]

    @pytest.mark.slow
    def test_a_hundred_jobs_are_one_submission(self, tmp_path: Path) -> None:
        backend = self.opened()
        self.run(backend, *(self.job(tmp_path / str(n), "true") for n in range(100)))
        assert self.spooler.calls.count("submit") == 1

    def test_jobs_of_other_resources_are_a_batch_of_their_own(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), "true", resources=Resources(cpus=1 + n % 2)) for n in range(6)]
        assert all(record.is_success for record in self.run(self.opened(), *jobs).values())
        assert self.spooler.calls.count("submit") == 2

    def test_jobs_of_another_runtime_are_a_batch_of_their_own(self, tmp_path: Path) -> None:
        jobs = [replace(self.job(tmp_path / str(n), "true"), runtime=str(n % 2)) for n in range(4)]
        assert all(record.is_success for record in self.run(self.opened(), *jobs).values())
        assert self.spooler.calls.count("submit") == 2

    def test_a_job_the_system_forgot_has_vanished(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_said(backend, job, "begun", news)
        forgotten = self.spooler.entries.pop("1")
        record = self.until_ended(backend, news=news)[job.folder]
        assert record.cause == "vanished"
        assert record.detail and "is gone and left no record" in record.detail
        assert forgotten.process is not None
        forgotten.process.kill()
        forgotten.process.wait()

    def test_a_job_the_system_forgot_after_it_ended_has_its_own_record(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo begun; exit 3")
        first = self.opened()
        first.submit([job])
        self.until_said(first, job, "begun")
        self.closed(first)
        entry = self.spooler.entries.pop("1")
        assert entry.process is not None
        entry.process.wait()
        second = self.opened()
        second.attach([job])
        record = self.until_ended(second)[job.folder]
        assert (record.code, record.cause) == (3, None)

    def test_an_id_given_to_somebody_elses_job_is_not_ours(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_said(backend, job, "begun", news)
        ours = self.spooler.entries.pop("1")
        other = self.job(tmp_path / "other", LONG)
        self.spooler.submit("somebody-elses", [other.folder], ours.wrapper, 1)
        self.spooler.entries["1"] = self.spooler.entries.pop("2")
        record = self.until_ended(backend, news=news)[job.folder]
        assert record.cause == "vanished"
        assert ours.process is not None
        ours.process.kill()
        ours.process.wait()

    def test_a_state_nobody_knows_is_told_and_not_guessed_at(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; sleep {self.brief_s}; exit 3")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_said(backend, job, "begun", news)
        self.spooler.strange.add("1")
        complaint = self.heard(backend, news)
        assert "bewildered" in complaint.message and complaint.code == "backend-answer"
        assert not ends(news)
        self.spooler.strange.clear()
        assert self.until_ended(backend, news=news)[job.folder].code == 3

    def test_an_answer_lost_on_its_way_is_not_a_second_submission(self, tmp_path: Path) -> None:
        self.spooler.is_cut_off_after_submission = True
        jobs = [self.job(tmp_path / str(n), f"echo ran; exit {n}") for n in range(3)]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        assert "timed out" in self.heard(backend, news).message
        records = self.until_ended(backend, 3, news)
        assert [records[job.folder].code for job in jobs] == [0, 1, 2]
        assert len(self.spooler.entries) == 3

    def test_a_process_that_died_between_submission_and_note(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"echo ran; exit {n}") for n in range(3)]
        note = ledger.open_note(jobs, 0.0, 'exec sh "$1/job.sh"')
        self.spooler.submit(note.key, [job.folder for job in jobs], f"{note.folder}/wrapper.sh", 1)
        backend = self.opened()
        backend.attach(jobs)
        records = self.until_ended(backend, 3)
        assert [records[job.folder].code for job in jobs] == [0, 1, 2]
        assert len(self.spooler.entries) == 3

    def test_a_process_that_died_before_the_submission(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"echo ran; exit {n}") for n in range(3)]
        ledger.open_note(jobs, 0.0, "exit 9")
        backend = self.opened()
        backend.attach(jobs)
        records = self.until_ended(backend, 3)
        assert [records[job.folder].code for job in jobs] == [0, 1, 2]

    def test_attach_to_some_of_a_batch_leaves_the_others(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"exit {n}") for n in range(4)]
        self.run(self.opened(), *jobs)
        for job in jobs:
            Path(job.folder, "exit.json").unlink()
        later = self.opened()
        later.attach(jobs[1:3])
        news = self.until(later, lambda news: len(ends(news)) == 2)
        assert {each.folder for each in news} == {jobs[1].folder, jobs[2].folder}
        assert [ends(news)[job.folder].code for job in jobs[1:3]] == [1, 2]

    def test_a_job_that_its_system_takes_for_running_after_its_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lockgate.backends.batch._OWN_LOOK_S", 0.5)
        job = self.job(tmp_path / "job", f"echo begun; sleep {self.brief_s}; exit 3")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_said(backend, job, "begun", news)
        entry = self.spooler.entries["1"]
        assert entry.process is not None
        entry.process.wait()
        self.spooler.ghosts.add("1")
        record = self.until_ended(backend, news=news)[job.folder]
        assert (record.code, record.cause) == (3, None)

    def test_removed_by_somebody_else(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_said(backend, job, "begun", news)
        self.spooler.remove("1")
        record = self.until_ended(backend, news=news)[job.folder]
        assert (record.cause, record.detail) == ("cancelled", "removed by somebody")

    def test_a_job_cancelled_while_it_is_handed_over(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend = self.opened()
        backend.submit([job])
        backend.cancel([job.folder])
        news = self.until(backend, lambda news: bool(ends(news)))
        assert [type(each) for each in news] in ([Ended], [Started, Ended])
        assert ends(news)[job.folder].cause == "cancelled"

    def test_looks_grow_rare_when_nothing_changes(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; sleep {3 * self.brief_s}")
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_ended(backend, news=news)
        assert self.spooler.calls.count("look") < 3 * self.brief_s / 0.05

    def test_a_folder_with_a_line_break_is_refused(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "line\nbreak", "true", stage="s")
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "refused" and record.detail and "line break" in record.detail

    def test_a_disk_that_refuses_the_note(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran")
        (tmp_path / ledger.BATCHES).write_text("in the way")
        backend, news = self.opened(), News()
        backend.submit([job])
        assert self.heard(backend, news).code == "job-folder"
        assert "batches" in backend.why_pending([job.folder])[job.folder]
        (tmp_path / ledger.BATCHES).unlink()
        assert self.until_ended(backend, news=news)[job.folder].is_success
