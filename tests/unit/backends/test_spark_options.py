"""The table `[batch.spark]`, and what becomes of it in spark-defaults.conf and in a job's environment."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.spark.application import spread_options
from lockgate.backends.spark.configuration import configuration, escaped, has_setting, mebibytes, settings
from lockgate.backends.spark.environment import Place, environment, submit_script
from lockgate.backends.spark.options import KEYS, Options, read_options
from lockgate.errors import UserError
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job

GOLDEN = Path(__file__).parents[2] / "golden/spark"

FULL: dict[str, object] = {
    "master": "spark://head:7077",
    "executors": 4,
    "executor_cores": 2,
    "executor_memory": "4 GiB",
    "driver_memory": "2 GiB",
    "packages": ["org.example:thing_2.13:1.0"],
    "jars": ["lib/größe a.jar"],
    "py_files": ["helpers.zip"],
    "archives": ["env.tar.gz#env"],
    "queue": "nightly",
    "python": "./env/bin/python",
    "spark_home": "/opt/spark it's",
    "java_home": "/opt/java",
    "conf": {"spark.sql.shuffle.partitions": 8, "spark.ui.enabled": False, "spark.x": " a=b \\ c\nd"},
    "extra": ["--verbose", "--name", "a 'b'"],
}


def job(**resources: int) -> Job:
    return Job("01RUN", "sum@day=1", "/hub/runs/p/01RUN/jobs/0001-sum", Resources(**resources))


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("LOCKGATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_what_a_job_finds_in_its_folder() -> None:
    options = read_options(FULL)
    site = "spark.eventLog.dir   hdfs:///logs\nspark.master yarn\n"
    golden(
        "spark-defaults.conf",
        configuration(job(cpus=3, memory_bytes=10**9), options, site=site, events_uri="file:///hub/a%20b"),
    )
    place = Place("/opt/spark it's", True, ("/opt/spark/python/lib/py4j.zip",), {"HADOOP_CONF_DIR": "/etc/h"})
    golden("environment", environment(options, place))


def test_a_stage_alone_decides_where_the_lead_says_nothing() -> None:
    options = read_options({"master": "spark://h:7077"})
    found = settings(job(cpus=3, memory_bytes=3 * 10**9), options, events_uri="file:///e")
    assert found["spark.executor.cores"] == "3"
    assert found["spark.executor.memory"] == "2862m"
    assert "spark.cores.max" not in found and "spark.driver.memory" not in found
    assert "spark.executor.memory" not in settings(job(), options, events_uri="x")
    assert settings(job(memory_bytes=1), options, events_uri="x")["spark.executor.memory"] == "450m"


def test_the_site_keeps_its_event_log_where_the_lead_wants_so() -> None:
    found = settings(job(), read_options({"event_log": False}), events_uri="file:///e")
    assert not [name for name in found if name.startswith("spark.eventLog")]
    found = settings(job(), read_options({"deploy_mode": "cluster"}), events_uri="file:///e")
    assert not [name for name in found if name.startswith("spark.eventLog")]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"mater": "x"}, "unknown key mater"),
        ({"master": "head:7077"}, "is no Spark master"),
        ({"master": 1}, "master: expected"),
        ({"executors": 0}, "executors is 0"),
        ({"executors": "2"}, "executors: expected"),
        ({"executors": True}, "executors: expected"),
        ({"executor_memory": "1 GiG"}, "executor_memory is '1 GiG', not a size"),
        ({"executor_memory": "100 MB"}, "Spark needs 472 MB"),
        ({"driver_memory": -1}, "driver_memory is -1"),
        ({"deploy_mode": "both"}, "deploy_mode: invalid enum"),
        ({"packages": "x"}, "packages: expected"),
        ({"jars": ["a,b"]}, "jars holds 'a,b'"),
        ({"jars": [""]}, "jars holds ''"),
        ({"spark_home": "spark"}, "no absolute path"),
        ({"conf": {"a b": 1}}, "conf holds 'a b'"),
        ({"conf": {"": 1}}, "conf holds ''"),
        ({"conf": {"a": [1]}}, "conf[...]: expected"),
        ({"spread": True, "deploy_mode": "cluster"}, "spread needs deploy_mode client"),
    ],
)
def test_what_cannot_be_meant(table: dict[str, object], words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_options(table)
    assert words in caught.value.message and caught.value.message.startswith("[batch.spark]: ")
    assert caught.value.hint and caught.value.code == "spark-options"


@pytest.mark.parametrize(
    "master",
    ["spark://h:7077", "spark://a:1,b:2", "yarn", "k8s://https://h:6443", "local", "local[*]", "local[2]"],
)
def test_masters(master: str) -> None:
    assert read_options({"master": master}).master == master


def test_every_option_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/spark.md").read_text()
    assert [key for key in KEYS if f"| `{key}` |" not in page] == []


def loaded(text: str) -> dict[str, str]:
    """Read properties as java.util.Properties.load does, for what we write of its syntax."""
    found = {}
    for line in text.split("\n"):
        name, _, value = line.partition("=")
        value = value.lstrip(" \t\f")
        units = re.sub(
            r"\\u([0-9a-f]{4})|\\(.)",
            lambda match: chr(int(match[1], 16)) if match[1] else match[2],
            value,
        )
        found[name] = units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return found


@given(st.text())
def test_every_value_comes_through(value: str) -> None:
    text = escaped(value)
    assert text.isascii() and text.isprintable()
    assert loaded(f"a={text}") == {"a": value}


@pytest.mark.parametrize(
    "line", ["spark.master yarn", "spark.master=yarn", " spark.master : yarn", "spark.master\tx"]
)
def test_a_setting_is_found_however_it_is_written(line: str) -> None:
    assert has_setting(f"# spark.master\n{line}\n", "spark.master")


def test_a_setting_that_is_not_there() -> None:
    assert not has_setting("#spark.master yarn\nspark.master.x 1\n! a\n\n", "spark.master")


def test_sizes_are_rounded_up() -> None:
    assert [mebibytes(size) for size in (1, 1 << 20, (1 << 20) + 1)] == ["1m", "1m", "2m"]


def sourced(text: str, folder: Path, **variables: str) -> dict[str, str]:
    (folder / "environment").write_text(text)
    done = subprocess.run(
        ["/bin/sh", "-c", ". ./environment; env -0"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return dict(each.decode().split("=", 1) for each in done.stdout.split(b"\0")[:-1])


def test_the_runtimes_own_pyspark_goes_first_unless_another_is_named(tmp_path: Path) -> None:
    bin_path = tmp_path / "venv/bin"
    bin_path.mkdir(parents=True)
    (bin_path / "spark-submit").write_text("")
    (bin_path / "spark-submit").chmod(0o755)
    runtime = {"VIRTUAL_ENV": str(tmp_path / "venv")}
    found = sourced(environment(Options(), Place("/opt/spark")), tmp_path, **runtime)
    assert "SPARK_HOME" not in found
    assert found["PYSPARK_PYTHON"] == found["PYSPARK_DRIVER_PYTHON"] == f"{bin_path}/python"
    assert found["SPARK_CONF_DIR"] == f"{tmp_path}/spark"
    wanted = sourced(environment(Options(), Place("/opt/spark", True, ("/l.zip",))), tmp_path, **runtime)
    assert (wanted["SPARK_HOME"], wanted["PYTHONPATH"]) == ("/opt/spark", "/l.zip")
    assert wanted["PATH"].startswith("/opt/spark/bin:")
    (bin_path / "spark-submit").unlink()
    assert (
        sourced(environment(Options(), Place("/opt/spark")), tmp_path, **runtime)["SPARK_HOME"]
        == "/opt/spark"
    )


def test_more_words_for_spark_submit_go_before_the_stages(tmp_path: Path) -> None:
    extra = ["--conf", "a b='$(x)'", "--verbose"]
    real = tmp_path / "real"
    real.mkdir()
    (real / "spark-submit").write_text("#!/bin/sh\nprintf '<%s>' \"$@\"\n")
    (real / "spark-submit").chmod(0o755)
    own = tmp_path / "job/spark/bin"
    own.mkdir(parents=True)
    (own / "spark-submit").write_text(submit_script(extra))
    (own / "spark-submit").chmod(0o755)
    (tmp_path / "job/environment").write_text(environment(Options(extra=extra), Place()))
    done = subprocess.run(
        ["/bin/sh", "-c", ". ./environment; cd spark; spark-submit job.py 'c d'"],
        cwd=tmp_path / "job",
        env={"PATH": f"{real}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "<--conf><a b='$(x)'><--verbose><job.py><c d>"


def test_an_application_that_spreads_has_room_for_what_it_runs() -> None:
    options = spread_options(Resources(cpus=2, memory_bytes=1 << 30), read_options({"executor_cores": 4}))
    assert options.executor_cores == 4
    assert options.conf["spark.task.cpus"] == 2
    assert options.conf["spark.executor.memoryOverhead"] == f"{384 + 2 * 1024 + 1}m"
    assert (
        spread_options(Resources(), read_options({"conf": {"spark.task.cpus": 3}})).conf["spark.task.cpus"]
        == 3
    )
