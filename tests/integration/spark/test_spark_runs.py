"""Real Spark jobs on a master and two workers, from `lockgate run` to the results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import LINGER_S, Place, WorkTree, until
from spark_cluster import Cluster, spark_cluster

__all__ = ["spark_cluster"]
pytestmark = [pytest.mark.batch, pytest.mark.timeout(600)]

_LONG_S = 300.0

MAKE = """\
import sys, time
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print("master", spark.sparkContext.master, flush=True)
spark.sparkContext.parallelize(range(6), 6).map(lambda number: time.sleep(0.7)).count()
spark.range(int(sys.argv[1])).repartition(3).write.parquet("build/numbers.parquet")
"""
SUM = """\
import pathlib
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print("master", spark.sparkContext.master, flush=True)
numbers = spark.read.parquet("build/numbers.parquet")
pathlib.Path("build/sum.txt").write_text(str(numbers.groupBy().sum("id").first()[0]))
"""
PARQUET = """
[stages.make]
spark = "make.py {rows}"
needs = []
makes = ["build/numbers.parquet/"]
params = { rows = 1000 }

[stages.sum]
spark = "sum.py"
needs = ["build/numbers.parquet/"]
makes = ["build/sum.txt"]
"""
LONG = """\
import pathlib, time
from pyspark.sql import SparkSession

context = SparkSession.builder.getOrCreate().sparkContext
with open("{seen}", "a") as file:
    print(context.applicationId, file=file)
gate = pathlib.Path("{seen}.go")
def wait(number):
    for _ in range(1000):
        if gate.exists():
            return
        time.sleep(0.2)
context.parallelize(range(2), 2).foreach(wait)
pathlib.Path("out").write_text("done")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spark_cluster: Cluster) -> Iterator[Place]:
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    made = Place(tmp_path)
    yield made
    made.close()
    spark_cluster.until_idle()


def toml(options: dict[str, object], stages: str) -> str:
    """Return a lockgate.toml; JSON's texts, numbers and lists are TOML's too."""
    conf = options.pop("conf")
    assert isinstance(conf, dict)
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    lines += [
        "[batch.spark.conf]",
        *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in conf.items()),
    ]
    return '[batch]\nbackend = "spark"\n[batch.spark]\n' + "\n".join(lines) + "\n" + stages


def run(place: Place, tree: WorkTree, *words: str) -> str:
    """Run the work tree to its end; return the run."""
    tree.lockgate("run", "--detach", *words)
    place.settle(deadline_s=_LONG_S)
    return place.runs()[-1].request.id


def test_parquet_folders_from_stage_to_stage_with_the_runtimes_own_spark(
    place: Place, spark_cluster: Cluster
) -> None:
    options = spark_cluster.options()
    del options["spark_home"], options["python"]
    version = (spark_cluster.folder / "facts").read_text().rpartition("SPARK_VERSION=")[2].strip()
    tree = place.project(
        {
            "lockgate.toml": toml(options, PARQUET),
            "requirements.txt": f"pyspark=={version}\n",
            "make.py": MAKE,
            "sum.py": SUM,
        }
    )
    follow = subprocess.Popen(
        ["lockgate", "run"], cwd=tree.path, env=place.env, stdout=subprocess.PIPE, text=True
    )
    said, _ = follow.communicate(timeout=_LONG_S)
    assert follow.returncode == 0, said
    progress = [line for line in said.splitlines() if " tasks" in line]
    assert any(line.startswith("make  stage 1 of 1, ") for line in progress), said
    assert any(line.startswith("sum  stage ") for line in progress), said
    assert tree.read("build/sum.txt") == "499500"
    parts = sorted(path.name for path in (tree.path / "build/numbers.parquet").iterdir())
    assert "_SUCCESS" in parts and len([part for part in parts if part.startswith("part-")]) == 3
    shown = tree.show()
    made = [each for record in shown["records"].values() for each in record["artifacts"]]
    kinds = {each["path"]: each.get("kind", "file") for each in made}
    assert kinds == {"build/numbers.parquet": "table", "build/sum.txt": "file"}
    assert f"master {spark_cluster.master}" in tree.lockgate("logs", "latest", "make").out
    assert set(place.states(run(place, tree)).values()) == {"cached"}
    forced = run(place, tree, "--on", "local", "--force", "sum")
    assert place.states(forced) == {"make": "cached", "sum": "succeeded"}
    assert "master local[1]" in tree.lockgate("logs", "latest", "sum").out


def test_a_plain_command_lands_on_the_master_and_its_failure_is_told(
    place: Place, spark_cluster: Cluster
) -> None:
    stages = """
[stages.code]
run = "$PYSPARK_PYTHON code.py"
needs = ["code.py"]

[stages.source]
spark = "source.py"
needs = []
"""
    head = "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"
    tree = place.project(
        {
            "lockgate.toml": toml(spark_cluster.options(), stages),
            "code.py": head + "print('master', spark.sparkContext.master)\nraise SystemExit(3)\n",
            "source.py": head + "spark.read.format('nowhere').load('x')\n",
        }
    )
    failed = run(place, tree)
    jobs = place.jobs(failed)
    assert (jobs["code"].cause or "").startswith("exit code 3")
    assert "the data source nowhere is not found" in (jobs["source"].cause or "")
    assert f"master {spark_cluster.master}" in tree.lockgate("logs", failed, "code").out


def test_a_killed_dispatchers_application_goes_on_and_a_cancelled_one_leaves_the_master(
    place: Place, spark_cluster: Cluster
) -> None:
    seen = place.outside / "seen"
    stages = '\n[stages.long]\nspark = "long.py"\nneeds = []\nmakes = ["out"]\n'
    tree = place.project(
        {
            "lockgate.toml": toml(spark_cluster.options(), stages),
            "long.py": LONG.replace("{seen}", str(seen)),
        }
    )
    tree.lockgate("run", "--detach")
    first = place.runs()[-1].request.id
    until(lambda: seen.exists() and seen.read_text().strip(), "the application is up", _LONG_S)
    assert place.kill_dispatcher()
    assert spark_cluster.active() == seen.read_text().split()
    place.start_dispatcher()
    until(lambda: place.jobs(first)["long"].progress, "its progress is told again", _LONG_S)
    Path(f"{seen}.go").touch()
    place.settle(deadline_s=_LONG_S)
    assert place.states(first) == {"long": "succeeded"}
    assert len(seen.read_text().split()) == 1

    Path(f"{seen}.go").unlink()
    seen.unlink()
    tree.lockgate("run", "--detach", "--force", "long")
    second = place.runs()[-1].request.id
    until(lambda: seen.exists() and seen.read_text().strip(), "the application is up again", _LONG_S)
    assert spark_cluster.active() == seen.read_text().split()
    tree.lockgate("cancel", second)
    place.settle()
    assert place.runs()[-1].state == "cancelled"
    spark_cluster.until_idle()


def test_who_gets_no_executor_is_told_so(place: Place, spark_cluster: Cluster) -> None:
    stages = '\n[stages.big]\nspark = "sum.py"\nneeds = []\nwalltime = "100 s"\n'
    tree = place.project(
        {
            "lockgate.toml": toml(spark_cluster.options(executor_memory="64 GiB"), stages),
            "sum.py": "from pyspark import SparkContext as C\nC.getOrCreate().parallelize([1]).count()\n",
        }
    )
    tree.lockgate("run", "--detach")
    first = place.runs()[-1].request.id
    until(
        lambda: any("waits for executors" in (job.progress or "") for job in place.jobs(first).values()),
        "it says that it waits for executors",
        _LONG_S,
    )
    assert "waits for executors" in tree.lockgate("show").out
    place.settle(deadline_s=_LONG_S)
    assert "it never got an executor" in (place.jobs(first)["big"].cause or "")


SPREAD = """
[stages.member]
run = "sh member.sh {n} {outside}"
needs = ["member.sh"]
makes = ["out/{n}"]
matrix = { n = [0, 1, 2, 3, 4, 5] }
params = { outside = "OUTSIDE" }
"""
MEMBER = """\
echo "$1 $$ $PPID" >> "$2/ran"
if [ "$1" = 2 ]; then exit 7; fi
if [ "$1" = 0 ]; then
    i=0
    until [ -e "$2/go" ] || [ $i -gt 1200 ]; do sleep 0.1; i=$((i+1)); done
fi
echo "$1" > "out/$1"
"""


def spread_project(place: Place, cluster: Cluster) -> WorkTree:
    return place.project(
        {
            "lockgate.toml": toml(
                cluster.options(spread=True), SPREAD.replace("OUTSIDE", str(place.outside))
            ),
            "member.sh": MEMBER,
        }
    )


def ran(place: Place) -> list[str]:
    file = place.outside / "ran"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


def test_a_matrix_is_one_application_and_tells_which_member_failed(
    place: Place, spark_cluster: Cluster
) -> None:
    tree = spread_project(place, spark_cluster)
    before = len(spark_cluster.state()["completedapps"])
    tree.lockgate("run", "--detach")
    run_id = place.runs()[-1].request.id
    until(lambda: len(ran(place)) == 6, "all members began", _LONG_S)
    assert place.kill_dispatcher()
    place.start_dispatcher()
    until(place.is_dispatched, "a new dispatcher is there")
    (place.outside / "go").touch()
    place.settle(deadline_s=_LONG_S)
    states = place.states(run_id)
    assert [name for name, state in states.items() if state != "succeeded"] == ["member@n=2"]
    assert "exit code 7" in (place.jobs(run_id)["member@n=2"].cause or "")
    assert sorted(ran(place)) == list("012345")
    spark_cluster.until_idle()
    assert len(spark_cluster.state()["completedapps"]) == before + 1


def test_a_member_whose_executor_is_lost_is_run_once_more(place: Place, spark_cluster: Cluster) -> None:
    tree = spread_project(place, spark_cluster)
    tree.lockgate("run", "--detach")
    run_id = place.runs()[-1].request.id
    until(lambda: len(ran(place)) == 6, "all members began", _LONG_S)
    lines = (place.outside / "ran").read_text().splitlines()
    (pid,) = [int(line.split()[1]) for line in lines if line.startswith("0 ")]
    os.kill(executor_of(pid), signal.SIGKILL)
    until(lambda: ran(place).count("0") == 2, "the lost member runs again", _LONG_S)
    (place.outside / "go").touch()
    place.settle(deadline_s=_LONG_S)
    states = place.states(run_id)
    assert [name for name, state in states.items() if state != "succeeded"] == ["member@n=2"]
    assert sorted(ran(place)) == sorted("0012345")


def test_a_cancelled_matrix_leaves_nothing_running(place: Place, spark_cluster: Cluster) -> None:
    tree = spread_project(place, spark_cluster)
    tree.lockgate("run", "--detach")
    until(lambda: "0" in ran(place), "the first member runs", _LONG_S)
    lines = (place.outside / "ran").read_text().splitlines()
    (pid,) = [int(line.split()[1]) for line in lines if line.startswith("0 ")]
    tree.lockgate("cancel", place.runs()[-1].request.id)
    place.settle(deadline_s=_LONG_S)
    assert place.runs()[-1].state == "cancelled"
    until(lambda: not Path("/proc", str(pid)).exists(), "the member's process is gone")
    spark_cluster.until_idle()


def executor_of(pid: int) -> int:
    """Return the executor's Java process among those around a process."""
    while pid > 1:
        command = Path("/proc", str(pid), "cmdline").read_bytes()
        if b"CoarseGrainedExecutorBackend" in command:
            return pid
        pid = int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
    raise AssertionError("no executor around it")
