"""Every fault of a pool that can be brought about, on a real one."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from htcondor_pool import Pool, pool_for_tests
from ordinary_user import job_folder

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.htcondor.description import EVENTS
from lockgate.backends.htcondor.system import HTCondorSystem
from lockgate.backends.ledger import BATCHES, link_members, read_note
from lockgate.backends.system import Batch, Submitted
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job
from lockgate.testing.bench import LONG, BackendBench, News

pytestmark = [pytest.mark.batch, pytest.mark.timeout(400)]

CARRIED: dict[str, object] = {"transfer": True}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with pool_for_tests() as pool:
        yield pool


class TestFaults(BackendBench):
    deadline_s = 45.0
    pool: Pool

    @pytest.fixture(autouse=True)
    def _pool(self, pool: Pool) -> Iterator[None]:
        self.pool = pool
        yield
        pool.tool("condor_rm", "-constraint", "true", check=False)

    @pytest.fixture
    def tmp_path(self) -> Iterator[Path]:
        with job_folder() as folder:
            yield folder

    def backend(self) -> Backend:
        return BatchBackend(HTCondorSystem("commands"))

    def native(self, job: Job) -> str:
        note = read_note(job.folder)
        assert note is not None and note.native_ids is not None
        return note.native_ids[[each.folder for each in note.jobs].index(job.folder)]

    def begun(self, backend: Backend, job: Job, news: News) -> str:
        """Submit a job, wait until it has begun; return its id."""
        backend.submit([job])
        self.until_said(backend, job, "begun", news)
        return self.native(job)

    def until_told(self, backend: Backend, job: Job, words: str, news: News) -> None:
        self.until(backend, lambda _: words in backend.why_pending([job.folder]).get(job.folder, ""), news)

    @pytest.mark.parametrize("options", [{}, CARRIED], ids=["shared", "carried"])
    def test_the_schedd_is_killed_while_a_job_runs(self, tmp_path: Path, options: dict[str, object]) -> None:
        job = self.job(tmp_path / "job", "echo begun; sleep 6; echo out >out; exit 7", options=options)
        backend, news = self.opened(), News()
        self.begun(backend, job, news)
        self.pool.kill("condor_schedd")
        record = self.until_ended(backend, news=news)[job.folder]
        assert (record.code, record.cause) == (7, None)
        assert (tmp_path / "job/workspace/out").read_text() == "out\n"
        assert self.log(job) == "begun\n"

    def test_a_node_is_drained(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend, news = self.opened(), News()
        native = self.begun(backend, job, news)
        self.pool.tool("condor_vacate_job", "-fast", native)
        record = self.until_ended(backend, news=news)[job.folder]
        assert record.cause == "vanished"
        assert record.detail and "took it off its worker" in record.detail
        assert self.log(job).count("begun") == 1
        self.until(backend, lambda _: not self.pool.tool("condor_q", native, "-af", "ClusterId"))

    def test_the_starter_is_killed(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend, news = self.opened(), News()
        self.begun(backend, job, news)
        self.pool.kill("condor_starter")
        assert self.until_ended(backend, news=news)[job.folder].cause == "vanished"

    def test_somebody_else_removes_it(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend, news = self.opened(), News()
        self.pool.tool("condor_rm", "-reason", "the queue is ours", self.begun(backend, job, news))
        record = self.until_ended(backend, news=news)[job.folder]
        assert (record.cause, record.detail) == ("cancelled", "removed by lockgate-test: the queue is ours")

    def test_somebody_holds_it_while_it_waits_and_lets_it_go(self, tmp_path: Path) -> None:
        first = self.job(tmp_path / "first", f"echo begun; {LONG}", resources=Resources(cpus=2))
        job = self.job(tmp_path / "job", "echo ran", resources=Resources(cpus=2))
        backend, news = self.opened(), News()
        self.begun(backend, first, news)
        backend.submit([job])
        self.until(backend, lambda _: "handed" not in backend.why_pending([job.folder])[job.folder], news)
        self.pool.tool("condor_hold", "-reason", "wait for the data", self.native(job))
        self.until_told(backend, job, "held: somebody put it on hold (wait for the data", news)
        self.pool.tool("condor_release", self.native(job))
        backend.cancel([first.folder])
        assert self.until_ended(backend, 2, news)[job.folder].is_success

    def test_somebody_holds_it_while_it_runs(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {LONG}")
        backend, news = self.opened(), News()
        native = self.begun(backend, job, news)
        self.pool.tool("condor_hold", "-reason", "stop that", native)
        record = self.until_ended(backend, news=news)[job.folder]
        assert record.cause == "vanished" and record.detail and "stop that" in record.detail
        self.until(backend, lambda _: not self.pool.tool("condor_q", native, "-af", "ClusterId"))

    def test_its_folder_cannot_be_reached(self, tmp_path: Path) -> None:
        first = self.job(tmp_path / "first", f"echo begun; {LONG}", resources=Resources(cpus=2))
        job = self.job(tmp_path / "job", "echo ran", options=CARRIED)
        backend, news = self.opened(), News()
        self.begun(backend, first, news)
        backend.submit([job])
        self.until(backend, lambda _: "handed" not in backend.why_pending([job.folder])[job.folder], news)
        native = self.native(job)
        (tmp_path / "job").rename(tmp_path / "elsewhere")
        backend.cancel([first.folder])
        self.until_told(backend, job, "held: its folder is not there", news)
        (tmp_path / "elsewhere").rename(tmp_path / "job")
        self.pool.tool("condor_release", native)
        assert self.until_ended(backend, 2, news)[job.folder].is_success
        assert self.log(job) == "ran\n"

    def test_what_no_slot_has_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lockgate.backends.batch._EXPLAIN_AFTER_S", 1.0)
        job = self.job(tmp_path / "job", "true", resources=Resources(cpus=64))
        backend, news = self.opened(), News()
        backend.submit([job])
        self.until_told(backend, job, "waits: no slot has 64 cpus", news)
        backend.cancel([job.folder])
        assert self.until_ended(backend, news=news)[job.folder].cause == "cancelled"

    def test_an_expression_that_is_none_is_refused_in_its_words(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "true", options={"requirements": "(Cpus >"})
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "refused" and record.detail and "Cpus >" in record.detail

    def test_a_hub_in_another_time_zone_has_the_same_times(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        try:
            job = self.job(tmp_path / "job", "true", options=CARRIED)
            before = time.time()
            record = self.run(self.opened(), job)[job.folder]
            assert record.started_at is not None and record.ended_at is not None
            assert before - 1 <= record.started_at <= record.ended_at <= time.time() + 1
        finally:
            monkeypatch.undo()
            time.tzset()

    def test_a_queue_kept_short(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"exit {n}", options={"max_materialize": 2}) for n in range(5)]
        records = self.run(self.opened(), *jobs)
        assert [records[job.folder].code for job in jobs] == [0, 1, 2, 3, 4]

    def test_what_is_carried_back_is_what_was_made(self, tmp_path: Path) -> None:
        command = "mkdir -p a/b 'c d'; echo x >'c d/é\nf'; ln -s ../nowhere a/link; echo y >ro; chmod 444 ro"
        job = self.job(tmp_path / "job", command, options=CARRIED)
        assert self.run(self.opened(), job)[job.folder].is_success
        workspace = tmp_path / "job/workspace"
        assert (workspace / "c d/é\nf").read_text() == "x\n"
        assert os.fspath((workspace / "a/link").readlink()) == "../nowhere"
        assert (workspace / "a/b").is_dir() and (workspace / "ro").stat().st_mode & 0o777 == 0o444

    def test_two_hundred_members_of_which_ten_fail(self, tmp_path: Path) -> None:
        bad = set(range(7, 200, 20))
        jobs = [
            self.job(tmp_path / str(n), "exit 3" if n in bad else f"echo {n} >out", stage=f"train@n={n}")
            for n in range(200)
        ]
        backend = self.opened()
        self.deadline_s = 380
        records = self.run(backend, *jobs)
        assert {n for n, job in enumerate(jobs) if not records[job.folder].is_success} == bad
        assert {records[jobs[n].folder].code for n in bad} == {3}
        for n in set(range(200)) - bad:
            assert (tmp_path / f"{n}/workspace/out").read_text() == f"{n}\n"
        assert len(list((tmp_path / BATCHES).iterdir())) == 1

    def test_the_whole_pool_is_killed_and_started_again(self, tmp_path: Path) -> None:
        waiting = self.job(tmp_path / "waiting", "echo ran")
        backend, news = self.opened(), News()
        for daemon in ("master", "schedd", "startd", "collector", "negotiator", "shared_port"):
            self.pool.kill(f"condor_{daemon}")
        backend.submit([waiting])
        self.until_told(backend, waiting, "tried again", news)
        self.pool.restart()
        assert self.until_ended(backend, news=news)[waiting.folder].is_success
        assert self.log(waiting) == "ran\n"


class TestFinding:
    """What was submitted is found again after a crash before it was noted, and what ended without a word."""

    @pytest.fixture
    def tmp_path(self) -> Iterator[Path]:
        with job_folder() as folder:
            yield folder

    def batch(self, tmp_path: Path, command: str, count: int) -> Batch:
        key = f"lg-find-{os.urandom(4).hex()}"
        folder = tmp_path / BATCHES / key
        folder.mkdir(parents=True)
        jobs = []
        for n in range(count):
            (tmp_path / str(n)).mkdir()
            jobs.append(Job("01RUN", "s", str(tmp_path / str(n)), Resources()))
        link_members(folder, jobs)
        (folder / "wrapper.sh").write_text(command)
        return Batch(key, str(folder), tuple(jobs))

    def until(self, is_done: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + 90
        while not is_done():
            assert time.monotonic() < ends_at
            time.sleep(0.1)

    def test_by_its_log_by_the_queue_and_by_the_history(self, pool: Pool, tmp_path: Path) -> None:
        system = HTCondorSystem("commands", check_every_s=0)
        batch = self.batch(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.1; done; exit 4", 2)
        ids = system.submit(batch)
        assert HTCondorSystem("commands").find([batch]) == {batch.key: ids}
        log = Path(batch.folder, EVENTS)
        kept = tmp_path / "kept"
        shutil.copy(log, kept)
        log.rename(tmp_path / "away")
        assert HTCondorSystem("commands").find([batch]) == {batch.key: ids}
        log.touch()
        submitted = [
            Submitted(job, batch.key, native, 0.0) for job, native in zip(batch.jobs, ids, strict=True)
        ]
        states = {each.state for each in system.look(submitted).values()}
        assert states <= {"pending", "running"} and states
        log.write_bytes(kept.read_bytes())
        (tmp_path / "go").touch()
        self.until(lambda: not pool.tool("condor_q", ids[0].partition(".")[0], "-af", "ClusterId"))
        log.unlink()
        assert HTCondorSystem("commands").find([batch]) == {batch.key: ids}
        log.write_bytes(kept.read_bytes())
        system = HTCondorSystem("commands", check_every_s=0)
        self.until(lambda: {each.state for each in system.look(submitted).values()} == {"ended"})
        assert {seen.exit.code for seen in system.look(submitted).values() if seen.exit} == {4}

    def test_what_was_never_there_is_not_found(self, pool: Pool, tmp_path: Path) -> None:
        batch = self.batch(tmp_path, "true", 1)
        system = HTCondorSystem("commands")
        assert system.find([batch]) == {}
        assert system.look([Submitted(batch.jobs[0], batch.key, "999999.0", 0.0)]) == {}
        system.cancel([Submitted(batch.jobs[0], batch.key, "999999.0", 0.0)])

    def test_ids_of_another_pool_are_not_removed(self, pool: Pool, tmp_path: Path) -> None:
        system = HTCondorSystem("commands")
        batch = self.batch(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.1; done", 1)
        (native,) = system.submit(batch)
        system.cancel([Submitted(batch.jobs[0], "lg-another-key", native, 0.0)])
        assert pool.tool("condor_q", native, "-af", "JobStatus").strip() in ("1", "2")
        system.cancel([Submitted(batch.jobs[0], batch.key, native, 0.0)])
        self.until(lambda: not pool.tool("condor_q", native, "-af", "ClusterId"))
