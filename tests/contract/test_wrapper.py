"""The wrapper between a batch system and job.sh, with real shells: every one that is installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lockgate.backends.wrapper import ENDING, PEAK, wrapper_script
from lockgate.runs.jobscript import job_script
from lockgate.testing.bench import LONG, is_running

pytestmark = pytest.mark.slow
SHELLS = [shell for shell in ("dash", "bash", "busybox", "ksh", "zsh") if shutil.which(shell)]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    shell = str(request.param)
    return [shell, "sh"] if shell == "busybox" else [shell, "--posix"] if shell == "bash" else [shell]


def lay_out(
    folder: Path, command: str, walltime_s: int | None = None, memory_bytes: int | None = None
) -> Path:
    job = folder / "job of 'mine' $x"
    (job / "workspace").mkdir(parents=True)
    (job / "job.sh").write_text(job_script(command, {}))
    (folder / "wrapper.sh").write_text(wrapper_script(walltime_s, memory_bytes))
    return job


def start(shell: list[str], job: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*shell, f"{job.parent}/wrapper.sh", str(job)], env={"PATH": os.environ["PATH"]})


def pids(job: Path, count: int) -> list[int]:
    ends_at = time.monotonic() + 20
    log = job / "output.log"
    while not log.exists() or log.read_text().count("\n") < count:
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    return [int(line) for line in log.read_text().split()[:count]]


def gone(pid: int) -> bool:
    ends_at = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < ends_at:
        time.sleep(0.02)
    return not is_running(pid)


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("exit 3", 3), ("kill -SEGV $$", 128 + 11)])
def test_the_jobs_exit_code_comes_through(shell: list[str], tmp_path: Path, command: str, code: int) -> None:
    job = lay_out(tmp_path, command)
    assert start(shell, job).wait(20) == code
    assert (job / "exit").read_text().startswith(f"{code}\n")
    assert not (job / ENDING).exists()


def test_the_first_process_of_a_container_waits_for_its_job(shell: list[str], tmp_path: Path) -> None:
    """As in a pod: it leads its group, and `kill -0 -1` finds nobody."""
    namespaces = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "setsid"]
    if subprocess.run([*namespaces, "true"], check=False).returncode != 0:
        pytest.skip("NOT TESTED: the wrapper as a container's first process: no namespaces here")
    job = lay_out(tmp_path, "sleep 0.2; exit 3")
    assert start([*namespaces, *shell], job).wait(20) == 3
    assert (job / "exit").read_text().startswith("3\n")


def test_what_a_job_leaves_running_is_killed(shell: list[str], tmp_path: Path) -> None:
    job = lay_out(tmp_path, f"sh -c 'echo $$; {LONG}' & (setsid sh -c 'echo $$; {LONG}' &); sleep 0.5")
    process = start(shell, job)
    left = pids(job, 2)
    assert process.wait(20) == 0
    assert all(gone(pid) for pid in left)


def test_the_walltime_is_kept(shell: list[str], tmp_path: Path) -> None:
    job = lay_out(tmp_path, f"echo $$; {LONG}", walltime_s=1)
    began = time.monotonic()
    assert start(shell, job).wait(20) == 128 + signal.SIGTERM
    assert 0.9 < time.monotonic() - began < 8
    assert (job / ENDING).read_text() == "walltime\n"
    assert int((job / PEAK).read_text()) > 100_000


def test_the_memory_is_kept(shell: list[str], tmp_path: Path) -> None:
    grow = f"x=$(head -c 60000000 /dev/zero | tr '\\0' x); {LONG}; echo ${{#x}}"
    job = lay_out(tmp_path, grow, memory_bytes=30_000_000)
    assert start(shell, job).wait(20) == 128 + signal.SIGKILL
    word, used = (job / ENDING).read_text().split()
    assert word == "memory" and int(used) > 30_000_000


def test_a_term_reaches_the_whole_job(shell: list[str], tmp_path: Path) -> None:
    command = f"sh -c 'echo $$; trap \"exit 9\" TERM; {LONG}' & (setsid sh -c 'echo $$; {LONG}' &); wait"
    job = lay_out(tmp_path, command)
    process = start(shell, job)
    left = pids(job, 2)
    process.terminate()
    assert process.wait(20) in (0, 128 + signal.SIGTERM)
    assert (job / "exit").exists()
    assert all(gone(pid) for pid in left)


def test_a_job_that_will_not_hear_is_killed(shell: list[str], tmp_path: Path) -> None:
    job = lay_out(tmp_path, f"trap '' TERM; echo $$; {LONG}")
    process = start(shell, job)
    (pid,) = pids(job, 1)
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGKILL
    assert gone(pid)


def test_a_wrapper_that_is_killed_leaves_no_watcher(shell: list[str], tmp_path: Path) -> None:
    job = lay_out(tmp_path, "exec sleep 3")
    process = start(shell, job)
    ends_at = time.monotonic() + 20
    while not (job / "pid").exists():
        assert time.monotonic() < ends_at
    process.kill()
    process.wait(20)

    def left() -> str:
        words = ["pgrep", "-f", f"{tmp_path}/wrapper.sh"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout

    while left():
        assert time.monotonic() < ends_at, left()
        time.sleep(0.1)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    job = lay_out(tmp_path, "true")
    job.rename(tmp_path / "moved")
    assert start(["sh"], job).wait(20) == 1
