"""What a Spark job costs through Lockgate, over the same job by a bare spark-submit to the same master.

Run: python bench/spark.py [rounds]
Starts a master and two workers of its own (tests/services/spark.sh). The driver is the same program with the
same sizes; ours goes all the way, from `lockgate run` to the results in the work tree.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import BIN, LOCKGATE, Row, environment, paired, program, sh

SCRIPT = Path(__file__).parents[1] / "tests/services/spark.sh"

_JOB = """\
import pathlib
import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
total = spark.range(1_000_000).repartition(4).selectExpr("sum(id)").first()[0]
pathlib.Path("out.txt").write_text(f"{total} {sys.argv[1]}")
"""

_TOML = """\
[batch]
backend = "spark"
[batch.spark]
master = "{SPARK_MASTER}"
spark_home = "{SPARK_HOME}"
python = "{SPARK_PYTHON}"
executor_memory = "460 MiB"
total_cores = 2
conf = {{ "spark.driver.host" = "127.0.0.1", "spark.driver.bindAddress" = "127.0.0.1" }}

[params]
seed = 0

[stages.job]
spark = "job.py {{seed}}"
needs = []
makes = ["out.txt"]
"""


def spark(scratch: Path, is_quick: bool, rounds: int = 7) -> list[Row]:
    """One small job, whole processes in turns."""
    cluster = scratch / "cluster"
    started = os.environ | {"SPARK_TEST_PORT": "29570", "PYTHON": sys.executable}
    started["PATH"] = f"{BIN}:{started['PATH']}"
    try:
        done = subprocess.run(
            [SCRIPT, "start", cluster],
            env=started,
            stdout=subprocess.PIPE,
            text=True,
            timeout=900,
            check=True,
        )
        facts = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
        return [_one_job(scratch, facts, 1 if is_quick else rounds)]
    finally:
        subprocess.run([SCRIPT, "stop", cluster], env=started, check=False, timeout=120)


def _one_job(scratch: Path, facts: dict[str, str], rounds: int) -> Row:
    env = environment(scratch) | {"SPARK_LOCAL_IP": "127.0.0.1"}
    tree = scratch / "job"
    tree.mkdir()
    (tree / "job.py").write_text(_JOB)
    (tree / "lockgate.toml").write_text(_TOML.format(**facts))
    sh("git init -q && git add . && git commit -qm first", tree, env)
    bare = env | {"SPARK_HOME": facts["SPARK_HOME"], "PYSPARK_PYTHON": facts["SPARK_PYTHON"]}
    words = [f"{facts['SPARK_HOME']}/bin/spark-submit", "--master", facts["SPARK_MASTER"]]
    words += ["--executor-memory", "460m", "--total-executor-cores", "2", "--executor-cores", "1"]
    for setting in ("spark.driver.host=127.0.0.1", "spark.driver.bindAddress=127.0.0.1"):
        words += ["--conf", setting]
    seeds = itertools.count(1)

    def ours() -> object:
        return program([LOCKGATE, "run", "--param", f"seed={next(seeds)}"], tree, env)()

    return paired(
        "one Spark job, from the command to its result",
        "spark-submit",
        program([*words, "job.py", "0"], tree, bare),
        ours,
        1.2,
        rounds,
        note=f"Spark {facts['SPARK_VERSION']}, two workers",
    )


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
        for row in spark(Path(scratch), False, rounds):
            print(row)
            return 0 if row.is_met else 1
    return 1


if __name__ == "__main__":
    sys.exit(main())
