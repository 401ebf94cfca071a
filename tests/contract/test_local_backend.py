"""The local backend against the suite that every backend must pass, and what is its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ordinary_user import as_user, job_folder

from lockgate.backends.contract import Backend, Ended, Started
from lockgate.backends.local import LocalBackend
from lockgate.project.pipeline import Resources
from lockgate.runs import exitrecord
from lockgate.runs.job import ExitRecord
from lockgate.testing.backends import BackendContract
from lockgate.testing.bench import LONG, is_running


class TestLocalBackend(BackendContract):
    folder_names = (*BackendContract.folder_names, "line\nbreak")

    def backend(self) -> Backend:
        return LocalBackend(cpus=self.cpus, memory_bytes=4_000_000_000, grace_s=0.5)

    def end_of(self, backend: Backend, folder: str) -> ExitRecord:
        news = self.until(
            backend, lambda news: any(isinstance(n, Ended) and n.folder == folder for n in news)
        )
        return next(each.exit for each in news if isinstance(each, Ended) and each.folder == folder)

    def test_limits_default_to_the_host(self) -> None:
        backend = LocalBackend()
        assert backend.room() > 0
        backend.close()

    def test_a_folder_that_stops_being_writable_keeps_nobody_waiting(self) -> None:
        # Modes do not keep root from writing
        with as_user("daemon") if os.getuid() == 0 else contextlib.nullcontext(), job_folder() as folder:
            job = self.job(folder / "job", "echo ran; chmod a-w ..")
            backend = self.opened()
            record = self.run(backend, job)[job.folder]
            assert record.is_success and record.detail and "could not be written" in record.detail
            assert exitrecord.read(job.folder) == record
            self.closed(backend)

    def test_the_shell_killed_from_outside(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"sh -c 'echo $$ > child; {LONG}'")
        backend = self.opened()
        backend.submit([job])
        child = tmp_path / "job/workspace/child"
        self.until_exists(backend, child, [])
        os.kill(int((tmp_path / "job/pid").read_text()), signal.SIGKILL)
        record = self.end_of(backend, job.folder)
        assert (record.code, record.signal) == (None, signal.SIGKILL)
        assert record.detail and "killed" in record.detail
        self.until_gone(int(child.read_text()))

    def test_the_command_killed_from_outside(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "kill -9 $$")
        record = self.run(self.opened(), job)[job.folder]
        assert record.signal == signal.SIGKILL
        assert record.detail and "memory" in record.detail

    def test_a_term_to_the_whole_group_still_leaves_a_record(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "kill -TERM 0; sleep 60")
        record = self.run(self.opened(), job)[job.folder]
        assert record.signal == signal.SIGTERM
        assert exitrecord.read_raw(job.folder) is not None

    def test_walltime_gives_time_to_save(self, tmp_path: Path) -> None:
        command = f"trap 'echo saved > saved; exit 0' TERM; {LONG}"
        job = self.job(tmp_path / "job", command, resources=Resources(walltime_s=1))
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "walltime"
        assert record.detail == "killed after 1.0 s, the walltime asked for"
        assert (tmp_path / "job/workspace/saved").read_text() == "saved\n"

    def test_walltime_of_a_job_deaf_to_sigterm(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"trap '' TERM; sh -c '{LONG}'", resources=Resources(walltime_s=1))
        record = self.run(self.opened(), job)[job.folder]
        assert (record.cause, record.signal) == ("walltime", signal.SIGKILL)
        assert exitrecord.read_raw(job.folder) is not None

    def test_a_stopped_job_is_ended_too(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "echo $$ > self; kill -STOP $$")
        backend = self.opened()
        backend.submit([job])
        self.until_exists(backend, tmp_path / "job/workspace/self", [])
        backend.cancel([job.folder])
        assert self.end_of(backend, job.folder).cause == "cancelled"

    def test_a_stopped_job_has_time_to_save(self, tmp_path: Path) -> None:
        command = f"trap 'echo saved > saved; exit 0' TERM; echo $$ > self; kill -STOP $$; {LONG}"
        job = self.job(tmp_path / "job", command)
        backend = self.opened()
        backend.submit([job])
        self.until_exists(backend, tmp_path / "job/workspace/self", [])
        backend.cancel([job.folder])
        assert self.end_of(backend, job.folder).cause == "cancelled"
        assert (tmp_path / "job/workspace/saved").exists()

    @pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: what only /proc tells")
    def test_a_job_ignores_no_signal_that_the_hub_ignores(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "grep SigIgn /proc/self/status > out")
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            assert self.run(self.opened(), job)[job.folder].is_success
        finally:
            signal.signal(signal.SIGHUP, before)
        assert int((tmp_path / "job/workspace/out").read_text().split()[1], 16) & 0x7FFFFFFF == 0

    def test_the_peak_is_the_jobs_and_not_the_hubs(self, tmp_path: Path) -> None:
        held = "import time; held = bytearray(400_000_000); time.sleep(1)"  # long enough to be looked at
        large = self.job(tmp_path / "large", f"{sys.executable} -c '{held}'")
        small = self.job(tmp_path / "small", "true")
        records = self.run(self.opened(), large, small)
        assert (records[large.folder].peak_memory_bytes or 0) >= 400_000_000
        assert (records[small.folder].peak_memory_bytes or 0) < 20_000_000

    def test_memory_is_that_of_the_whole_tree(self, tmp_path: Path) -> None:
        hold = f"(x=$(head -c 15000000 /dev/zero | tr '\\0' x); {LONG}; echo ${{#x}}) &\n"
        command = hold * 4 + "wait"
        job = self.job(tmp_path / "job", command, resources=Resources(memory_bytes=45_000_000))
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "memory"

    @pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: shared memory, which only Linux tells")
    def test_shared_memory_counts_once(self, tmp_path: Path) -> None:
        script = (
            "import os, time\n"
            "held = bytearray(80_000_000)\n"
            "pids = []\n"
            "for _ in range(4):\n"
            "    pid = os.fork()\n"
            "    if not pid:\n"
            "        time.sleep(1)\n"
            "        os._exit(0)\n"
            "    pids.append(pid)\n"
            "for pid in pids:\n"
            "    os.waitpid(pid, 0)\n"
        )
        job = self.job(
            tmp_path / "job", f"{sys.executable} -c '{script}'", resources=Resources(memory_bytes=200_000_000)
        )
        record = self.run(self.opened(), job)[job.folder]
        assert record.is_success, record
        assert 80_000_000 < (record.peak_memory_bytes or 0) < 200_000_000

    def test_the_program_around_it_may_have_children_of_its_own(self, tmp_path: Path) -> None:
        own = subprocess.Popen(["sh", "-c", "exit 9"])
        job = self.job(tmp_path / "job", "sleep 0.1")
        assert self.run(self.opened(), job)[job.folder].is_success
        assert own.wait() == 9

    def test_a_later_process_takes_up_what_a_killed_one_left(self, tmp_path: Path) -> None:
        job = self.job(
            tmp_path / "job", "echo ran >> ../count; until [ -e ../go ]; do sleep 0.02; done; exit 4"
        )
        code = (
            "import os, signal, time\n"
            "from lockgate.backends.local import LocalBackend\n"
            "from lockgate.project.pipeline import Resources\n"
            "from lockgate.runs.job import Job\n"
            f"LocalBackend(cpus=1).submit([Job('01RUN', 'job', {job.folder!r}, Resources())])\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
        backend = self.opened()
        backend.attach([job])
        (tmp_path / "job/go").touch()
        assert self.end_of(backend, job.folder).code == 4
        assert (tmp_path / "job/count").read_text() == "ran\n"

    def test_a_pid_used_again_is_not_the_job(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "true")
        other = subprocess.Popen(["sleep", "60"])
        try:
            (tmp_path / "job/pid").write_text(f"{other.pid}\n")
            long_ago = time.time() - 3600
            os.utime(tmp_path / "job/pid", (long_ago, long_ago))
            backend = self.opened()
            backend.attach([job])
            backend.cancel([job.folder])
            assert self.end_of(backend, job.folder).cause == "vanished"
            assert is_running(other.pid)
        finally:
            other.kill()
            other.wait()

    def test_the_pid_of_another_job_is_not_the_job(self, tmp_path: Path) -> None:
        running = self.job(tmp_path / "running", f"echo $$ > self; {LONG}")
        gone = self.job(tmp_path / "gone", "true")
        backend = self.opened()
        backend.submit([running])
        self.until_exists(backend, tmp_path / "running/workspace/self", [])
        (tmp_path / "gone/pid").write_bytes((tmp_path / "running/pid").read_bytes())
        later = self.opened()
        later.attach([gone])
        assert self.end_of(later, gone.folder).cause == "vanished"
        backend.cancel([running.folder])
        self.end_of(backend, running.folder)

    def test_the_walltime_counts_from_the_start(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo $$ > self; {LONG}", resources=Resources(walltime_s=1800))
        first = self.opened()
        first.submit([job])
        self.until_exists(first, tmp_path / "job/workspace/self", [])
        an_hour_ago = time.time() - 3600
        os.utime(tmp_path / "job/pid", (an_hour_ago, an_hour_ago))
        second = self.opened()
        second.attach([job])
        assert self.end_of(second, job.folder).cause == "walltime"

    def test_a_job_that_another_process_started_while_it_waited_here(self, tmp_path: Path) -> None:
        here, there = self.opened(), self.opened()
        before = self.job(tmp_path / "before", LONG, resources=Resources(cpus=2))
        job = self.job(
            tmp_path / "job", "echo ran >> ../count; until [ -e ../go ]; do sleep 0.02; done; exit 4"
        )
        here.submit([before, job])
        there.submit([job])
        self.until_exists(there, tmp_path / "job/count", [])
        here.cancel([before.folder])
        after = self.job(tmp_path / "after", "true")
        here.submit([after])
        news = self.until(
            here, lambda news: any(isinstance(n, Ended) and n.folder == after.folder for n in news)
        )
        assert job.folder not in {each.folder for each in news if isinstance(each, Ended)}
        (tmp_path / "job/go").touch()
        news += self.until(
            here, lambda news: any(isinstance(n, Ended) and n.folder == job.folder for n in news)
        )
        about = [each for each in news if each.folder == job.folder]
        assert [type(each) for each in about] == [Started, Ended]
        assert isinstance(about[1], Ended) and about[1].exit.code == 4
        assert (tmp_path / "job/count").read_text() == "ran\n"

    def test_cancel_by_a_process_that_never_attached(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", f"echo $$ > self; {LONG}")
        first, second = self.opened(), self.opened()
        first.submit([job])
        self.until_exists(first, tmp_path / "job/workspace/self", [])
        second.cancel([job.folder])
        assert self.end_of(second, job.folder).cause == "cancelled"

    def test_a_daemon_of_a_brief_job_is_swept_up(self, tmp_path: Path) -> None:
        job = self.job(
            tmp_path / "job",
            f"(setsid sh -c 'echo $$ > daemon; {LONG}' &); until [ -s daemon ]; do sleep 0.01; done",
        )
        backend = self.opened()
        assert self.run(backend, job)[job.folder].is_success
        daemon = int((tmp_path / "job/workspace/daemon").read_text())
        self.until(backend, lambda _: not is_running(daemon))

    def test_a_large_job_keeps_its_place(self, tmp_path: Path) -> None:
        order = tmp_path / "order"
        small = [self.job(tmp_path / f"s{n}", f"sleep 0.1; echo small >> {order}") for n in range(1)]
        large = self.job(tmp_path / "large", f"echo large >> {order}", resources=Resources(cpus=2))
        late = [self.job(tmp_path / f"l{n}", f"echo late >> {order}") for n in range(4)]
        self.run(self.opened(), *small, large, *late)
        assert order.read_text().split() == ["small", "large", "late", "late", "late", "late"]

    def test_why_pending_names_who_is_there(self, tmp_path: Path) -> None:
        one = self.job(tmp_path / "1", LONG, stage="train")
        two = self.job(tmp_path / "2", LONG, stage="evaluate")
        head = self.job(tmp_path / "3", "true", stage="report", resources=Resources(cpus=2))
        last = self.job(tmp_path / "4", "true", stage="publish")
        backend = self.opened()
        backend.submit([one, two, head, last])
        assert backend.why_pending([head.folder, last.folder]) == {
            head.folder: "waits for 2 of 2 cpus, taken by train, evaluate",
            last.folder: "waits behind report, which waits for 2 of 2 cpus, taken by train, evaluate",
        }
        backend.cancel([each.folder for each in (one, two, head, last)])
        self.until(backend, lambda news: sum(isinstance(n, Ended) for n in news) == 4)

    def test_waits_for_memory(self, tmp_path: Path) -> None:
        half = Resources(memory_bytes=2_500_000_000)
        one = self.job(tmp_path / "1", LONG, stage="train", resources=half)
        two = self.job(tmp_path / "2", "true", resources=half)
        backend = self.opened()
        backend.submit([one, two])
        why = backend.why_pending([two.folder])
        assert why == {two.folder: "waits for 2.5 GB of 4.0 GB memory, taken by train"}
        backend.cancel([one.folder])
        assert self.end_of(backend, two.folder).is_success

    def test_refusals_in_words(self, tmp_path: Path) -> None:
        backend = self.opened()
        for resources, words in [
            (Resources(cpus=3), "asks for 3 cpus; this host has 2 to give"),
            (
                Resources(memory_bytes=5_000_000_000),
                "asks for 5.0 GB of memory; this host has 4.0 GB to give",
            ),
            (Resources(gpus=99), "asks for 99 gpus; this host has none"),
        ]:
            job = self.job(tmp_path / f"{resources.cpus}-{resources.gpus}-{resources.memory_bytes}", "true",
                           resources=resources)  # fmt: skip
            refusal = backend.refuses(job)
            assert refusal is not None and refusal.startswith(words.removesuffix("none"))

    def test_a_folder_that_is_gone(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "true")
        (tmp_path / "job").rename(tmp_path / "moved")
        record = self.run(self.opened(), job)[job.folder]
        assert record.cause == "vanished"
        assert record.detail and "could not start" in record.detail

    def test_a_record_that_was_cut_short_by_a_full_disk(self, tmp_path: Path) -> None:
        job = self.job(tmp_path / "job", "mkdir ../exit; exit 5")
        record = self.run(self.opened(), job)[job.folder]
        assert record.code == 5
        assert record.detail and "disk full" in record.detail
