"""What goes wrong around jobs on a real Slurm, and what is told of it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary_user import as_user, job_folder
from slurm_service import Slurm

from lockgate.backends.contract import Backend
from lockgate.backends.ledger import link_members
from lockgate.backends.registry import load_backend
from lockgate.backends.slurm import client
from lockgate.backends.slurm.system import SlurmSystem
from lockgate.backends.system import Batch, Submitted
from lockgate.backends.wrapper import wrapper_script
from lockgate.errors import OutsideError, UserError
from lockgate.project.pipeline import Resources
from lockgate.runs import exitrecord
from lockgate.runs.job import Job
from lockgate.testing.bench import LONG, BackendBench, News, ends


class SlurmFaults(BackendBench):
    cpus = 8

    def backend(self) -> Backend:
        return load_backend("slurm")

    def begun(self, folder: Path, slurm: Slurm, command: str = f"echo begun; {LONG}") -> tuple[Backend, str]:
        """Start a job and wait until it runs; return its backend and its number at Slurm."""
        job = self.job(folder, command)
        backend = self.opened()
        backend.submit([job])
        self.until_said(backend, job, "begun")
        ((number, _, _),) = slurm.jobs("--states=R")
        return backend, number


class TestWithoutAccounting(SlurmFaults):
    @pytest.fixture(autouse=True)
    def _use(self, plain_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("SLURM_CONF", str(plain_slurm.conf))
        self.slurm = plain_slurm
        yield
        plain_slurm.clear()

    def test_the_controller_is_killed_and_started_again_while_jobs_run(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"echo begun; sleep 3; exit {n}") for n in range(3)]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        for job in jobs:
            self.until_said(backend, job, "begun", news)
        self.slurm.kill_controller()
        try:
            self.until(backend, lambda _: bool(self.complaints), news)
            assert self.complaints[0].is_transient and "does not answer" in self.complaints[0].message
            time.sleep(3)  # the jobs end while nobody hears of it
            assert not ends(news)
        finally:
            self.slurm.restart()
        records = self.until_ended(backend, 3, news)
        assert [records[job.folder].code for job in jobs] == [0, 1, 2]

    def test_a_drained_node_is_told_and_its_job_goes_on(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran")
        backend = self.opened()
        with self.slurm.drained("to be mended"):
            backend.submit([job])

            def words() -> str:
                return backend.why_pending([job.folder]).get(job.folder, "")

            self.until(backend, lambda _: "drained" in words())
        assert self.until_ended(backend)[job.folder].is_success

    def test_a_drained_node_is_explained(self, tmp_path: Path) -> None:
        system = SlurmSystem()
        with self.slurm.drained("to be mended"):
            (number,) = self.slurm.ask(
                "sbatch", "--parsable", "--job-name=k", "--output=/dev/null", "--wrap=:"
            ).split()
            told = system.explain([Submitted(Job("r", "s", "/f", Resources()), "k", number, 0.0)])
        assert "8 cpus free" in told[number] and "1 node drained (to be mended)" in told[number]

    def test_somebody_cancels_a_running_job(self, tmp_path: Path) -> None:
        backend, number = self.begun(tmp_path / "job", self.slurm)
        self.slurm.ask("scancel", number)
        (record,) = self.until_ended(backend).values()
        assert (record.cause, record.detail) == ("cancelled", "cancelled by somebody with scancel")

    def test_somebody_cancels_a_task_that_waits(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), LONG, resources=Resources(cpus=8)) for n in range(3)]
        backend, news = self.opened(), News()
        backend.submit(jobs)
        self.until_exists(backend, tmp_path / "0/pid", news)
        (array,) = {each[0].partition("_")[0] for each in self.slurm.jobs("--states=R")}
        self.slurm.ask("scancel", f"{array}_1")
        records = self.until_ended(backend, 1, news)
        assert list(records) == [jobs[1].folder]
        assert records[jobs[1].folder].detail == "cancelled by somebody with scancel"
        backend.cancel([job.folder for job in jobs])
        self.until_ended(backend, 3, news)

    def test_nobody_watches_for_the_whole_life_of_a_job_that_slurm_forgets(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo begun; exit 4")
        first = self.opened()
        first.submit([job])
        ends_at = time.monotonic() + self.deadline_s
        while exitrecord.started(job.folder) is None:
            assert time.monotonic() < ends_at
            time.sleep(0.02)
        self.closed(first)
        self.slurm.until(lambda: exitrecord.read_raw(job.folder), "the job has ended")
        key = Path((tmp_path / "job/batch").read_text()).name
        self.slurm.until(lambda: key not in str(self.slurm.jobs()), "Slurm has forgotten the job")
        second = self.opened()
        second.attach([job])
        record = self.until_ended(second)[job.folder]
        assert (record.code, record.cause) == (4, None)

    def test_the_node_s_clock_is_another(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "touch -d '2031-01-01' ../pid; echo begun")
        record = self.run(self.opened(), job)[job.folder]
        assert record.is_success
        assert record.started_at is not None and record.ended_at is not None
        assert record.started_at <= record.ended_at

    def test_the_job_s_folder_is_gone(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "true")
        backend = self.opened()
        with self.slurm.drained("wait"):
            backend.submit([job])
            self.until(backend, lambda _: bool(self.slurm.jobs("--states=PD")))
            (tmp_path / "job").rename(tmp_path / "elsewhere")
        record = self.until_ended(backend)[job.folder]
        assert record.cause == "vanished"
        # Slurm without accounting does not always tell the code of a job that has just ended
        words = ("could not start its job.sh (exit code 1)", "is gone and left no record")
        assert any(each in (record.detail or "") for each in words), record
        (log,) = tmp_path.glob(".batches/*/slurm.log")
        assert str(tmp_path / "job") in log.read_text()

    def test_a_submission_in_doubt_is_found_by_its_name(self, tmp_path: Path) -> None:
        jobs = tuple(self.job(tmp_path / str(n), "true") for n in range(3))
        system = SlurmSystem()
        batch = Batch("lg-doubt-1", str(tmp_path), jobs)
        (tmp_path / "wrapper.sh").write_text(wrapper_script(60))
        link_members(tmp_path, jobs)
        made = system.submit(batch)
        other = Batch("lg-never-made", str(tmp_path), jobs)
        assert system.find([batch, other]) == {"lg-doubt-1": made}

    def test_a_job_that_was_given_an_old_number_is_left_alone(self, tmp_path: Path) -> None:
        (number,) = self.slurm.ask(
            "sbatch", "--parsable", "--job-name=not-ours", "--output=/dev/null", "--wrap=sleep 30"
        ).split()
        system = SlurmSystem()
        stale = Submitted(self.job(tmp_path / "job", "true"), "lg-ours", number, 0.0)
        assert system.look([stale])[number].key == "not-ours"
        system.cancel([stale])
        assert [state for each, state, _ in self.slurm.jobs() if each == number] != ["CANCELLED"]
        self.slurm.ask("scancel", number)

    @pytest.mark.parametrize(
        ("options", "hint"),
        [
            ({"partition": "none-such"}, "`partition`"),
            ({"reservation": "none-such"}, "`reservation`"),
            ({"constraint": "none-such"}, "`constraint`"),
            ({"gres": "gpu:1"}, "`gres`"),
            ({"nodelist": "none-such"}, "`nodelist`"),
            ({"extra": ["--frobnicate"]}, "`extra`"),
        ],
    )
    def test_slurm_s_refusals_say_what_to_change(
        self, tmp_path: Path, options: dict[str, object], hint: str
    ) -> None:
        job = self.job(tmp_path / "job", "true", options=options)
        with pytest.raises(UserError) as raised:
            SlurmSystem().submit(Batch("lg-refused", str(tmp_path), (job,)))
        assert hint in raised.value.hint and raised.value.code == "slurm-refused"

    def test_a_walltime_of_just_the_partition_s_limit_runs(self, tmp_path: Path) -> None:
        asked = Resources(walltime_s=600)
        job = self.job(tmp_path / "job", "true", resources=asked, options={"partition": "short"})
        assert self.run(self.opened(), job)[job.folder].is_success

    def test_a_waiting_job_says_what_to_do(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "true", options={"partition": "closed"})
        backend = self.opened()
        backend.submit([job])
        self.until(
            backend, lambda _: "its partition is down" in backend.why_pending([job.folder])[job.folder]
        )
        backend.cancel([job.folder])
        assert self.until_ended(backend)[job.folder].cause == "cancelled"


class TestWithAccounting(SlurmFaults):
    @pytest.fixture(autouse=True)
    def _use(self, accounting_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("SLURM_CONF", str(accounting_slurm.conf))
        self.slurm = accounting_slurm
        yield
        accounting_slurm.clear()

    @pytest.mark.skipif(
        os.getuid() != 0, reason="NOT TESTED: who cancelled (needs root to cancel as somebody else)"
    )
    def test_who_cancelled_a_job_is_told(self, tmp_path: Path) -> None:
        backend, number = self.begun(tmp_path / "job", self.slurm)
        self.slurm.ask("scancel", number, user="slurm")
        (record,) = self.until_ended(backend).values()
        assert record.cause == "cancelled"
        assert record.detail in ("cancelled by slurm with scancel", "cancelled by somebody with scancel")

    def test_memory_is_told_as_it_was_asked_for(self, tmp_path: Path) -> None:
        asked = Resources(memory_bytes=63_000_000)
        grow = f"x=$(head -c 90000000 /dev/zero | tr '\\0' x); {LONG}; echo ${{#x}}"
        job = self.job(tmp_path / "job", grow, resources=asked)
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "memory" and "asked for 63.0 MB" in (record.detail or "")


class TestAsAnOrdinaryUser(SlurmFaults):
    """Most hubs' owners are no root, whom modes do not keep from writing."""

    @pytest.fixture(autouse=True)
    def _use(self, plain_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("SLURM_CONF", str(plain_slurm.conf))
        self.slurm = plain_slurm
        yield
        plain_slurm.clear()

    @pytest.fixture
    def tmp_path(self) -> Iterator[Path]:
        with as_user("daemon") if os.getuid() == 0 else contextlib.nullcontext(), job_folder() as folder:
            yield folder

    def test_a_folder_that_is_not_writable_before_its_job_starts(self, tmp_path: Path) -> None:
        first = self.job(tmp_path / "first", f"echo begun; {LONG}", resources=Resources(cpus=self.cpus))
        job = self.job(tmp_path / "job", "echo ran")
        backend, news = self.opened(), News()
        backend.submit([first])
        self.until_said(backend, first, "begun", news)
        backend.submit([job])
        self.until(backend, lambda _: bool(self.slurm.jobs("--states=PD")), news)
        Path(job.folder).chmod(0o555)
        backend.cancel([first.folder])
        record = self.until_ended(backend, 2, news)[job.folder]
        assert record.cause == "vanished" and record.detail is not None
        assert f"cannot write to {job.folder}: its mode does not let the hub's owner" in record.detail
        assert exitrecord.read(job.folder) == record

    def test_a_folder_that_stops_being_writable(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran; chmod a-w ..")
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "vanished" and record.detail is not None
        assert f"cannot write to {job.folder}" in record.detail
        assert self.log(job) == "ran\n" and exitrecord.read(job.folder) == record

    def test_a_workspace_that_is_not_writable(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "chmod a-w .; echo x >o")
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause is None and record.code not in (0, None)
        assert "cannot create o: Permission denied" in self.log(job)


def test_without_slurm_s_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutsideError) as raised:
        client.run(["squeue"])
    assert raised.value.code == "slurm-missing" and "slurm-client" in raised.value.hint
