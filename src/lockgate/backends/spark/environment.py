"""The text of a job's `environment`: where Spark, Java and Python are, as `job.sh` is to know it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.backends.spark.options import Options
from lockgate.runs.jobscript import quoted

#: Of the hub's own environment, what tells Spark how to reach a cluster.
PASSED = (
    "JAVA_HOME", "HADOOP_HOME", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_DIST_CLASSPATH", "SPARK_LOCAL_IP",
    "KUBECONFIG", "KRB5CCNAME", "KRB5_CONFIG",
)  # fmt: skip


class Place(msgspec.Struct, frozen=True):
    """Where things are on the hub's host."""

    spark_home: str | None = None
    """A Spark installation beside the runtime's own PySpark; None: there is none."""
    is_wanted: bool = False
    """Whether it goes before the runtime's own."""
    libraries: tuple[str, ...] = ()
    """Its Python modules: the zip files of `python/lib`."""
    passed: dict[str, str] = {}
    """Variables of the hub's own environment."""


def environment(options: Options, place: Place) -> str:
    """Return shell text, to be read in the job's folder once PATH and VIRTUAL_ENV are set."""
    lines = ["# What the Spark backend adds to this job's environment."]
    lines += [_export(name, value) for name, value in place.passed.items() if name in PASSED]
    if options.java_home is not None:
        lines.append(_export("JAVA_HOME", options.java_home))
    lines += ['export SPARK_CONF_DIR="$PWD/spark"', 'export SPARK_LOCAL_DIRS="$PWD/tmp"']
    if place.spark_home is not None:
        lines += _installation(place)
    lines += [
        'if [ -n "$VIRTUAL_ENV" ]; then',
        '    export PYSPARK_DRIVER_PYTHON="$VIRTUAL_ENV/bin/python" PYSPARK_PYTHON="$VIRTUAL_ENV/bin/python"',
        "fi",
    ]
    if options.python is not None:
        lines.append(_export("PYSPARK_PYTHON", options.python))
        if not options.archives and options.python.startswith("/"):
            # A Python of the workers' that is not unpacked there is this host's too; versions must agree.
            lines.append(f"[ ! -x {quoted(options.python)} ] || export PYSPARK_DRIVER_PYTHON=$PYSPARK_PYTHON")
    if options.extra:
        lines += [
            "LOCKGATE_SPARK_SUBMIT=$(command -v spark-submit) || LOCKGATE_SPARK_SUBMIT=spark-submit",
            "export LOCKGATE_SPARK_SUBMIT",
            'PATH="$PWD/spark/bin:$PATH"',
            # PySpark reads it as a shell would (java_gateway.py, launch_gateway).
            _export("PYSPARK_SUBMIT_ARGS", " ".join([*map(quoted, options.extra), "pyspark-shell"])),
        ]
    return "\n".join(lines) + "\n"


def submit_script(extra: Sequence[str]) -> str:
    """Return the text of a `spark-submit` that says `extra` before what the stage says."""
    words = " ".join(map(quoted, extra))
    return f'#!/bin/sh\nunset PYSPARK_SUBMIT_ARGS\nexec "$LOCKGATE_SPARK_SUBMIT" {words} "$@"\n'


def _installation(place: Place) -> list[str]:
    home = place.spark_home or ""
    lines = [_export("SPARK_HOME", home), f'PATH={quoted(f"{home}/bin")}:"$PATH"']
    if place.libraries:
        lines.append(_export("PYTHONPATH", ":".join(place.libraries)))
    if place.is_wanted:
        return lines
    return ['if [ ! -x "$VIRTUAL_ENV/bin/spark-submit" ]; then', *(f"    {line}" for line in lines), "fi"]


def _export(name: str, value: str) -> str:
    return f"export {name}={quoted(value)}"
