"""Batch systems described in lockgate.toml alone, against the suite: a task spooler, and Slurm."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import tomli

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.described.system import DescribedSystem
from lockgate.project.described import mistake, parse_description
from lockgate.project.pipeline import Resources
from lockgate.testing.backends import BackendContract

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SERVICES = Path(__file__).parents[1] / "services"

SPOOLER = r'''
submit = """sh -c '[ "$1" -le 2 ] || { echo "there are 2 slots" >&2; exit 1; }; shift; exec tsp "$@"'
    sh {cpus} -N {cpus} -L {name} sh {script}"""
submitted = '^(?P<id>\d+)$'
status = "tsp -l"
line = '^(?P<id>\d+)\s+(?P<state>\w+)\s+\S+\s+((?P<code>-?\d+)\s+\S+\s+)?\[(?P<name>[^\]]*)\]'
skip = '^ID '
pending = ["queued", "allocating"]
running = ["running"]
ended = ["finished"]
cancel = """sh -c 'tsp -r "$1" || tsp -k "$1"' sh {id}"""
gone = 'cannot be removed|not running'
timeout = "2 s"
interval = "1 s"
'''

SLURM = r'''
submit = """sbatch --parsable --export=NIL -J {name} -c {cpus} -o /dev/null
    {with_memory} {with_walltime} {with_gpus} {script}"""
submitted = '^(?P<id>\d+)'
with_memory = "--mem={memory_mib}"
with_walltime = "--time={walltime_min}"
with_gpus = "--gres=gpu:{gpus}"
status = "squeue -a -h -r -t all -o '%i|%T|%j|%r'"
line = '^(?P<id>[\d_]+)\|(?P<state>\w+)\|(?P<name>[^|]*)\|(?P<reason>.*)$'
pending = ["PENDING", "CONFIGURING", "REQUEUED"]
running = ["RUNNING", "COMPLETING", "SUSPENDED"]
ended = ["COMPLETED", "FAILED"]
causes = { CANCELLED = "cancelled", TIMEOUT = "walltime", OUT_OF_MEMORY = "memory", NODE_FAIL = "vanished" }
cancel = "scancel {ids}"
gone = 'Invalid job id'
interval = "1 s"
[array]
submit = """sbatch --parsable --export=NIL -J {name} -c {cpus} -o /dev/null -a {first}-{last}
    {with_memory} {with_walltime} {with_gpus} {script}"""
variable = "SLURM_ARRAY_TASK_ID"
first = 0
'''


@contextlib.contextmanager
def service(script: str, *arguments: str) -> Iterator[Path]:
    lacking = subprocess.run([SERVICES / script, "missing"], capture_output=True, text=True, check=False)
    if lacking.returncode != 0:
        pytest.skip(f"NOT TESTED: not installed: {lacking.stdout.strip()}")
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101
        subprocess.run([SERVICES / script, "start", folder, *arguments], check=True, timeout=90)
        try:
            yield Path(folder)
        finally:
            subprocess.run([SERVICES / script, "stop", folder], check=True, timeout=60)


@pytest.fixture(scope="module")
def spooler() -> Iterator[Path]:
    with service("spooler.sh") as folder:
        yield folder


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    with service("slurm.sh") as folder:
        yield folder


class DescribedContract(BackendContract):
    """A backend made of a table; what is shared by both systems."""

    table: str
    folder: Path
    variable: str
    value: str

    def backend(self) -> Backend:
        table = {**tomli.loads(self.table), "environment": {self.variable: self.value}}
        table["environment"]["TMPDIR"] = str(self.folder)
        assert mistake("ourqueue", table) is None
        return BatchBackend(DescribedSystem(parse_description("ourqueue", table)), lag_s=4)


class TestSpooler(DescribedContract):
    """A queue on this host, one submission a job."""

    table = SPOOLER
    variable = "TS_SOCKET"
    many = 30

    @pytest.fixture(autouse=True)
    def _service(self, spooler: Path) -> None:
        self.folder = spooler
        self.value = f"{spooler}/socket"

    def outage(self) -> AbstractContextManager[None]:
        return self._stopped()

    @contextlib.contextmanager
    def _stopped(self) -> Iterator[None]:
        server = int((self.folder / "pid").read_text())
        os.kill(server, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(server, signal.SIGCONT)


class TestSlurm(DescribedContract):
    """Slurm without a line of Python for it, arrays included."""

    table = SLURM
    variable = "SLURM_CONF"
    many = 30
    deadline_s = 110.0
    excess_resources = Resources(memory_bytes=10**13)

    @pytest.fixture(autouse=True)
    def _service(self, slurm: Path) -> None:
        self.folder = slurm
        self.value = f"{slurm}/slurm.conf"

    def outage(self) -> AbstractContextManager[None]:
        return self._controller_down()

    @contextlib.contextmanager
    def _controller_down(self) -> Iterator[None]:
        subprocess.run([SERVICES / "slurm.sh", "stop-controller", self.folder], check=True, timeout=30)
        try:
            yield
        finally:
            subprocess.run([SERVICES / "slurm.sh", "restart", self.folder], check=True, timeout=60)
