"""What every backend must do, as tests with real jobs. Subclass `BackendContract` and run pytest.

class TestMyBackend(BackendContract):
    def backend(self) -> Backend:
        return MyBackend()
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockgate.backends.contract import Backend, Ended, Started
from lockgate.project.pipeline import Resources
from lockgate.runs import exitrecord
from lockgate.runs.job import ExitRecord, Job
from lockgate.runs.jobscript import base_environment, job_script
from lockgate.runs.workspace import Input, lay_out

News = list[Started | Ended]

#: Runs as long as a test waits, and not for ever should all else fail.
_LONG = "i=0; while [ $i -lt 1200 ]; do sleep 0.05; i=$((i+1)); done"


class BackendContract:
    """The contract of `lockgate.backends.contract.Backend`; each test is given backends of its own."""

    cpus = 2
    """How many cpus the backend under test offers at least; it is never asked for more at a time."""
    deadline_s = 60.0
    """How long a test waits for what must happen."""
    enforces_memory = True
    """Whether jobs are ended that use more memory than they asked for."""
    excess_resources = Resources(cpus=1_000_000)
    """What the backend could never give."""

    _backends: list[Backend]

    def backend(self) -> Backend:
        """Return a new backend, as a later process of the same hub makes one. To be overridden."""
        raise NotImplementedError

    def make_vanished(self, job: Job) -> None:
        """Leave the traces of a job that was started and is gone without a record. May be overridden."""
        gone = subprocess.Popen(["true"])
        gone.wait()
        (Path(job.folder) / "pid").write_text(f"{gone.pid}\n")

    @pytest.fixture(autouse=True)
    def _closed(self) -> Iterator[None]:
        self._backends = []
        yield
        for backend in self._backends:
            backend.close()

    def opened(self) -> Backend:
        backend = self.backend()
        self._backends.append(backend)
        return backend

    def job(
        self,
        folder: Path,
        command: str,
        *,
        stage: str | None = None,
        resources: Resources = Resources(),  # noqa: B008 - frozen
        inputs: tuple[Input, ...] = (),
    ) -> Job:
        """Lay out a job that runs `command`."""
        stage = stage or folder.name
        environment, inside = base_environment(
            run="01RUN", stage=stage, cpus=resources.cpus, source_date_epoch=1_000_000_000
        )
        lay_out(folder, job_script(command, environment, from_folder=inside), inputs)
        return Job("01RUN", stage, os.fspath(folder), resources)

    def until(self, backend: Backend, is_done: Callable[[News], bool], news: News | None = None) -> News:
        """Poll, as a dispatcher does, until the news so far satisfy `is_done`; return them all."""
        news = [] if news is None else news
        ends_at = time.monotonic() + self.deadline_s
        while True:
            news.extend(backend.poll())
            if is_done(news):
                return news
            assert time.monotonic() < ends_at, f"still waiting after {self.deadline_s} s; so far: {news}"
            interval_s = backend.poll_interval_s()
            select.select(backend.wake_fds(), [], [], 0.5 if interval_s is None else min(interval_s, 0.5))

    def run(self, backend: Backend, *jobs: Job) -> dict[str, ExitRecord]:
        """Submit jobs and wait for their ends; return folder → record."""
        backend.submit(jobs)
        news = self.until(backend, lambda news: len(_ends(news)) >= len(jobs))
        return _ends(news)

    def until_exists(self, backend: Backend, path: Path, news: News) -> None:
        self.until(backend, lambda _: path.exists() and path.stat().st_size > 0, news)

    def until_gone(self, pid: int) -> None:
        ends_at = time.monotonic() + self.deadline_s
        while is_running(pid):
            assert time.monotonic() < ends_at, f"process {pid} still runs"
            time.sleep(0.02)

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
        assert (tmp_path / "job/output.log").read_bytes() == b"hello\n"
        assert exitrecord.read(job.folder) == record

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
        assert b"no-such-program-here" in (tmp_path / "job/output.log").read_bytes()

    def test_walltime_ends_it_and_keeps_its_output(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo begun; {_LONG}", resources=Resources(walltime_s=1))
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "walltime" and not record.is_success
        assert record.detail and "walltime" in record.detail
        assert (tmp_path / "job/output.log").read_bytes().startswith(b"begun\n")

    def test_memory_ends_it(self, tmp_path: Path) -> None:
        if not self.enforces_memory:
            pytest.skip("this backend does not watch memory")
        grow = f"echo begun; x=$(head -c 60000000 /dev/zero | tr '\\0' x); {_LONG}; echo ${{#x}}"
        job = self.job(tmp_path / "job", grow, resources=Resources(memory_bytes=30_000_000))
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "memory" and not record.is_success
        assert record.detail and "asked for 30.0 MB" in record.detail
        assert (record.peak_memory_bytes or 0) > 30_000_000
        assert (tmp_path / "job/output.log").read_bytes().startswith(b"begun\n")

    def test_cancel_ends_the_whole_tree(self, tmp_path: Path) -> None:
        command = f"""
            sh -c 'echo $$ > child; trap "" TERM; {_LONG}' &
            setsid sh -c 'echo $$ > daemon; {_LONG}' &
            (setsid sh -c 'echo $$ > orphan; trap "" TERM; {_LONG}' &)
            echo $$ > self
            wait
        """
        job = self.job(tmp_path / "job", command)
        backend, news = self.opened(), News()
        backend.submit([job])
        files = [tmp_path / "job/workspace" / name for name in ("self", "child", "daemon", "orphan")]
        for file in files:
            self.until_exists(backend, file, news)
        pids = [int(file.read_text()) for file in files]
        backend.cancel([job.folder])
        self.until(backend, lambda news: bool(_ends(news)), news)
        record = _ends(news)[job.folder]
        assert record.cause == "cancelled" and not record.is_success
        for pid in pids:
            self.until_gone(pid)

    def test_cancel_before_it_started(self, tmp_path: Path) -> None:
        first = self.job(tmp_path / "first", _LONG, resources=Resources(cpus=self.cpus))
        second = self.job(tmp_path / "second", "echo ran > ran", resources=Resources(cpus=self.cpus))
        backend = self.opened()
        backend.submit([first, second])
        backend.cancel([second.folder, first.folder])
        news = self.until(backend, lambda news: len(_ends(news)) == 2)
        assert {record.cause for record in _ends(news).values()} == {"cancelled"}
        assert not (tmp_path / "second/workspace/ran").exists()
        assert second.folder not in {each.folder for each in news if isinstance(each, Started)}
        later = self.opened()
        later.submit([second])
        assert _ends(self.until(later, lambda news: bool(_ends(news))))[second.folder].cause == "cancelled"

    def test_cancel_of_what_has_ended_is_no_error(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "true")
        backend = self.opened()
        self.run(backend, job)
        backend.cancel([job.folder, os.fspath(tmp_path / "never-heard-of")])
        backend.cancel([job.folder])
        assert job.folder not in _ends(list(backend.poll()))
        record = exitrecord.read(job.folder)
        assert record is not None and record.is_success

    def test_what_a_job_leaves_running_ends_with_it(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"sh -c 'echo $$ > child; {_LONG}' & until [ -s child ]; do :; done")
        assert self.run(self.opened(), job)[job.folder].is_success
        self.until_gone(int((tmp_path / "job/workspace/child").read_text()))

    def test_submitted_twice_runs_once(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran >> ../count; until [ -e ../go ]; do sleep 0.02; done")
        first, second = self.opened(), self.opened()
        first.submit([job])
        first.submit([job, job])
        second.submit([job])
        (tmp_path / "job/go").touch()
        news = self.until(first, lambda news: bool(_ends(news)))
        assert [each.folder for each in news if isinstance(each, Ended)] == [job.folder]
        assert _ends(self.until(second, lambda news: bool(_ends(news))))[job.folder].is_success
        assert (tmp_path / "job/count").read_text() == "ran\n"

    def test_attach_to_a_job_never_started(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran >> ../count")
        backend = self.opened()
        backend.attach([job])
        assert _ends(self.until(backend, lambda news: bool(_ends(news))))[job.folder].is_success
        assert (tmp_path / "job/count").read_text() == "ran\n"

    def test_attach_to_a_running_job(self, tmp_path: Path) -> None:
        job = self.job(
            tmp_path / "job", "echo ran >> ../count; until [ -e ../go ]; do sleep 0.02; done; exit 7"
        )
        first = self.opened()
        first.submit([job])
        self.until_exists(first, tmp_path / "job/count", [])
        first.close()
        self._backends.remove(first)
        second = self.opened()
        second.attach([job])
        assert not _ends(list(second.poll()))
        (tmp_path / "job/go").touch()
        record = _ends(self.until(second, lambda news: bool(_ends(news))))[job.folder]
        assert (record.code, record.cause) == (7, None)
        assert (tmp_path / "job/count").read_text() == "ran\n"

    def test_attach_keeps_the_walltime(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo ran > begun; {_LONG}", resources=Resources(walltime_s=2))
        first = self.opened()
        first.submit([job])
        self.until_exists(first, tmp_path / "job/workspace/begun", [])
        first.close()
        self._backends.remove(first)
        second = self.opened()
        second.attach([job])
        record = _ends(self.until(second, lambda news: bool(_ends(news))))[job.folder]
        assert record.cause == "walltime"

    def test_attach_and_cancel(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"setsid sh -c 'echo $$ > daemon; {_LONG}' & {_LONG}")
        first = self.opened()
        first.submit([job])
        daemon = tmp_path / "job/workspace/daemon"
        self.until_exists(first, daemon, [])
        first.close()
        self._backends.remove(first)
        second = self.opened()
        second.attach([job])
        second.cancel([job.folder])
        record = _ends(self.until(second, lambda news: bool(_ends(news))))[job.folder]
        assert record.cause == "cancelled"
        self.until_gone(int(daemon.read_text()))

    def test_attach_to_a_job_that_ended(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran >> ../count; exit 3")
        record = self.run(self.opened(), job)[job.folder]
        second = self.opened()
        second.attach([job])
        assert _ends(self.until(second, lambda news: bool(_ends(news))))[job.folder] == record
        assert (tmp_path / "job/count").read_text() == "ran\n"

    def test_attach_to_a_job_that_ended_while_nobody_watched(self, tmp_path: Path) -> None:
        job = self.job(
            tmp_path / "job", "echo ran >> ../count; until [ -e ../go ]; do sleep 0.02; done; exit 3"
        )
        first = self.opened()
        first.submit([job])
        self.until_exists(first, tmp_path / "job/count", [])
        first.close()
        self._backends.remove(first)
        (tmp_path / "job/go").touch()
        ends_at = time.monotonic() + self.deadline_s
        while exitrecord.read_raw(job.folder) is None:
            assert time.monotonic() < ends_at
            time.sleep(0.02)
        second = self.opened()
        second.attach([job])
        record = _ends(self.until(second, lambda news: bool(_ends(news))))[job.folder]
        assert record.code == 3
        assert exitrecord.read(job.folder) == record

    def test_attach_to_a_job_that_vanished(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo ran > ../count")
        self.make_vanished(job)
        backend = self.opened()
        backend.attach([job])
        record = _ends(self.until(backend, lambda news: bool(_ends(news))))[job.folder]
        assert record.cause == "vanished" and record.detail and not record.is_success
        assert not (tmp_path / "job/count").exists()

    def test_never_more_cpus_than_there_are(self, tmp_path: Path) -> None:
        backend = self.opened()
        command = "date +%s.%N > begin; sleep 0.1; date +%s.%N > end"
        jobs = [
            self.job(tmp_path / str(n), command, resources=Resources(cpus=1 + n % self.cpus))
            for n in range(8)
        ]
        assert all(record.is_success for record in self.run(backend, *jobs).values())
        changes = []
        for job in jobs:
            workspace = Path(job.folder, "workspace")
            changes.append((float((workspace / "begin").read_text()), job.resources.cpus))
            changes.append((float((workspace / "end").read_text()), -job.resources.cpus))
        used = 0
        for _, cpus in sorted(changes):
            used += cpus
            assert used <= self.cpus

    def test_why_pending(self, tmp_path: Path) -> None:
        big = Resources(cpus=self.cpus)
        first = self.job(tmp_path / "first", _LONG, stage="train", resources=big)
        second = self.job(tmp_path / "second", "true", resources=big)
        backend = self.opened()
        backend.submit([first, second])
        words = backend.why_pending([first.folder, second.folder])
        assert words.get(second.folder)
        backend.cancel([first.folder])
        self.until(backend, lambda news: len(_ends(news)) == 2)
        assert not backend.why_pending([first.folder, second.folder])

    def test_many_tiny_jobs(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"echo {n} > out") for n in range(100)]
        backend = self.opened()
        backend.submit(jobs)
        news = self.until(backend, lambda news: len(_ends(news)) == 100)
        assert all(record.is_success for record in _ends(news).values())
        assert len([each for each in news if isinstance(each, Ended)]) == 100
        for n, job in enumerate(jobs):
            assert Path(job.folder, "workspace/out").read_text() == f"{n}\n"

    def test_started_comes_before_ended_and_each_once(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), "true") for n in range(5)]
        backend = self.opened()
        backend.submit(jobs)
        news = self.until(backend, lambda news: len(_ends(news)) == 5)
        backend.submit(jobs)
        backend.attach(jobs)
        news.extend(backend.poll())
        for job in jobs:
            about = [each for each in news if each.folder == job.folder]
            assert [type(each) for each in about] == [Started, Ended]

    def test_refuses_what_is_too_large(self, tmp_path: Path) -> None:
        backend = self.opened()
        job = self.job(tmp_path / "job", "echo ran > ran", resources=self.excess_resources)
        assert backend.refuses(job)
        assert backend.refuses(Job("01RUN", "small", "/nowhere", Resources(cpus=1))) is None
        record = self.run(backend, job)[job.folder]
        assert record.cause == "refused" and record.detail
        assert not (tmp_path / "job/workspace/ran").exists()

    @pytest.mark.parametrize(
        "name", ["a b", "ä ö → 木", "line\nbreak", "'\"$(touch x)`\\", "-rf", "*", "%s{}"]
    )
    def test_folder_of_any_name(self, tmp_path: Path, name: str) -> None:
        command = 'test -d "$HOME" && echo x > "$TMPDIR/x" && cat in > out'
        inputs = (Input("in", content=lambda: b"1"),)
        job = self.job(tmp_path / name, command, stage="s", inputs=inputs)
        record = self.run(self.opened(), job)[job.folder]
        assert record.is_success, (tmp_path / name / "output.log").read_text()
        assert (tmp_path / name / "workspace/out").read_bytes() == b"1"

    def test_room(self, tmp_path: Path) -> None:
        backend = self.opened()
        room = backend.room()
        assert room is None or room > 0
        jobs = [self.job(tmp_path / str(n), "true") for n in range(room or 1)]
        assert all(record.is_success for record in self.run(backend, *jobs).values())
        assert backend.room() == room


def is_running(pid: int) -> bool:
    """Return whether there is such a process that is more than a zombie."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.returncode == 0 and not done.stdout.strip().startswith("Z")


def _ends(news: News) -> dict[str, ExitRecord]:
    return {each.folder: each.exit for each in news if isinstance(each, Ended)}
