"""The observer on real commands: what it notes, and that a command is as it would be without it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lockgate.runs import notebook_runner

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="NOT TESTED: what a stage opens and calls: it is observed on Linux only"
)

PROGRAMS = Path(notebook_runner.__file__).parent


class Job:
    """A job's folder as the observer finds it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = root / "workspace"
        for name in ("workspace", "observed", "programs/python"):
            (root / name).mkdir(parents=True)
        (root / "programs/observer.py").write_bytes((PROGRAMS / "observer.py").read_bytes())
        reader = root / "programs/python/sitecustomize.py"
        reader.write_bytes((PROGRAMS / "variable_reader.py").read_bytes())

    def words(self, *command: str) -> list[str]:
        return [sys.executable, "-IS", "../programs/observer.py", "../observed", *command]

    def run(self, *command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*command), cwd=self.workspace, env=dict(os.environ) | (env or {}), timeout=60,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def notes(self, name: str = "calls") -> list[str]:
        path = self.root / "observed" / name
        return path.read_bytes().decode().split("\0")[:-1] if path.exists() else []

    def files(self, kind: str = "r") -> set[str]:
        return {note[1:] for note in self.notes() if note[0] == kind}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "job").mkdir()
    return Job(tmp_path / "job")


def test_files_are_noted_by_every_way_to_open_them(job: Job, tmp_path: Path) -> None:
    for name in ("plain", "relative", "by a folder", "linked", "around"):
        (tmp_path / name).write_text("x")
    (job.workspace / "link").symlink_to(tmp_path / "linked")
    script = """
import os
root = os.path.dirname(os.path.dirname(os.getcwd()))
open(root + "/plain").close()
os.chdir("/")
open(os.path.relpath(root + "/relative")).close()
os.close(os.open("by a folder", os.O_RDONLY, dir_fd=os.open(root, os.O_RDONLY | os.O_DIRECTORY)))
open(root + "/job/workspace/link").close()
open("/etc/.." + root + "/around").close()
open(root + "/made", "w").close()
open(root + "/made").close()
os.listdir(root)
"""
    assert job.run(sys.executable, "-c", script).returncode == 0
    inside = {path for path in job.files() if path.startswith(str(tmp_path))}
    assert inside == {
        str(tmp_path / name) for name in ("plain", "relative", "by a folder", "linked", "around")
    }
    assert str(tmp_path / "made") in job.files("w")
    assert job.notes()[-1] == "."


def test_children_and_static_programs_are_noted(job: Job, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    program = tmp_path / "static"
    source = 'int main() { return open("%s", 0) < 0; }' % (tmp_path / "secret")
    built = subprocess.run(
        ["cc", "-static", "-w", "-x", "c", "-o", program, "-"], input=source, text=True, check=False
    )
    if built.returncode != 0:
        pytest.skip("no compiler for a static program")
    assert job.run("/bin/sh", "-c", f"(cd / && {program})").returncode == 0
    assert {str(program), str(tmp_path / "secret")} <= job.files()


def test_hosts_are_noted_by_address_and_by_name(job: Job) -> None:
    script = """
import socket
try:
    socket.create_connection(("127.0.0.1", {port}))
    socket.create_connection(("::1", 9))
except OSError:
    pass
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.sendto(b"x", ("127.0.0.1", {port}))
# As a resolver asks: RFC 1035
question = b"ab\\1\\0\\0\\1" + bytes(6) + b"\\4data\\7example\\3org\\0\\0\\1\\0\\1"
datagrams.sendto(question, ("127.0.0.1", 53))
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert job.run(sys.executable, "-c", script.format(port=port)).returncode == 0
    assert f"127.0.0.1:{port}" in job.files("h")
    assert "[::1]:9" in job.files("h")
    assert "data.example.org" in job.files("n")


def test_variables_are_noted_where_the_project_reads_them(job: Job) -> None:
    (job.workspace / "read.py").write_text(
        """\
import os, tempfile
os.environ["GIVEN"]
os.getenv("MISSING")
"ASKED" in os.environ
{**os.environ}
dict(os.environ), os.environ.copy(), [os.environ[name] for name in os.environ]
os.environ["OWN"] = "1"
os.environ["OWN"]
tempfile.gettempdir()
"""
    )
    assert job.run(sys.executable, "read.py", env={"GIVEN": "1", "PASSED": "2"}).returncode == 0
    noted = job.notes("variables")
    assert "eGIVEN\nread.py:2" in noted
    assert "aMISSING\nread.py:3" in noted
    assert "aASKED\nread.py:4" in noted
    assert "aTMPDIR" in noted or "eTMPDIR" in noted
    assert not [note for note in noted if "PASSED" in note or "OWN" in note]
    assert "PASSED" in job.files("p")


def test_the_runtimes_own_start_still_happens(job: Job, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text('print("started")')
    done = job.run(sys.executable, "-c", "", env={"PYTHONPATH": str(tmp_path)})
    assert done.stdout == "started\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 7", 7), ("kill -KILL $$", 128 + 9), ("kill -TERM $$", 128 + 15), ("no-such-program-here", 127)],
)
def test_a_command_ends_as_it_would(job: Job, command: str, code: int) -> None:
    assert job.run("/bin/sh", "-c", command).returncode == code


def test_what_is_no_program_is_said_and_told_by_127(job: Job) -> None:
    done = job.run("no-such-program-here")
    assert done.returncode == 127
    assert "no-such-program-here" in done.stderr


def test_a_pipe_that_nobody_reads_ends_who_writes_as_ever(job: Job) -> None:
    done = job.run("/bin/bash", "-c", "yes | head -n1; echo ${PIPESTATUS[0]}")
    assert done.stdout == f"y\n{128 + signal.SIGPIPE}\n"


def test_what_a_command_leaves_behind_goes_on(job: Job) -> None:
    left = "(sleep 1; cat /etc/hostname; echo done >later) </dev/null >/dev/null 2>&1 &"
    began = time.monotonic()
    assert job.run("/bin/sh", "-c", f"{left} exit 3").returncode == 3
    assert time.monotonic() - began < 30
    deadline = time.monotonic() + 30
    while not (job.workspace / "later").exists():
        assert time.monotonic() < deadline, "the process that was left did not go on"
        time.sleep(0.05)


def test_signals_reach_the_command_which_ends_in_its_own_way(job: Job) -> None:
    command = 'trap "echo stopped; exit 5" TERM; echo ready; while :; do sleep 0.05; done'
    with subprocess.Popen(
        job.words("/bin/sh", "-c", command), cwd=job.workspace, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # As a batch system does: every process of the job
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(30) == 5
        assert process.stdout.read() == "stopped\n"


def test_a_killed_job_leaves_what_was_noted(job: Job, tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("x")
    with subprocess.Popen(
        job.words("/bin/sh", "-c", f"read x <{tmp_path}/seen; sleep 60"), cwd=job.workspace,
        start_new_session=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 30
        while str(tmp_path / "seen") not in job.files():
            assert time.monotonic() < deadline, "nothing was noted while it ran"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
    assert "." not in job.notes()


def test_many_threads_and_processes_at_once_are_all_let_go_on(job: Job) -> None:
    script = """
import concurrent.futures, multiprocessing, os
def work(number):
    with open(f"f{number % 20}", "a") as file:
        file.write("x")
    with open(f"f{number % 20}") as file:
        return len(file.read()) > 0
if __name__ == "__main__":
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        assert all(threads.map(work, range(400)))
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert all(pool.map(work, range(400)))
"""
    (job.workspace / "many.py").write_text(script)
    done = job.run(sys.executable, "-W", "ignore", "many.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert job.notes()[-1] == "."


def test_where_the_kernel_refuses_the_command_runs_and_the_reason_is_noted(job: Job) -> None:
    """A process has one that listens to its calls; inside of an observed command there is one already."""
    (job.root / "inner").mkdir()
    inner = f"{sys.executable} -IS ../programs/observer.py ../inner /bin/sh -c 'echo ran; exit 4'"
    done = job.run("/bin/sh", "-c", inner)
    assert (done.returncode, done.stdout) == (4, "ran\n")
    assert b"!the kernel refuses: Device or resource busy\0" in (job.root / "inner" / "calls").read_bytes()
