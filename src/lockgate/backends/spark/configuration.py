"""The text of a job's `spark-defaults.conf`: what spark-submit and `SparkSession.builder` read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lockgate.backends.spark.options import LEAST_EXECUTOR_BYTES, Options
from lockgate.runs.job import Job

#: Spark tries so many ports from the first one on; drivers stand side by side on the hub's host.
_PORT_TRIES = "200"

LOG_SETTINGS = """\
# Warnings and errors only: the rest of a job's log is its own. More: sc.setLogLevel("INFO").
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
"""


def configuration(job: Job, options: Options, *, site: str, events_uri: str) -> str:
    """Return `spark-defaults.conf`: what the site says, then the stage's resources, then `conf`.

    Of a setting that is there twice the last one counts (java.util.Properties.load). Setting names are
    those of https://spark.apache.org/docs/latest/configuration.html.
    """
    first = {"spark.ui.showConsoleProgress": "false", "spark.port.maxRetries": _PORT_TRIES}
    parts = [_lines(first), site.rstrip("\n"), _lines(settings(job, options, events_uri=events_uri))]
    own = {name: _text(value) for name, value in options.conf.items()}
    return "\n".join(part for part in (*parts, _lines(own)) if part) + "\n"


def settings(job: Job, options: Options, *, events_uri: str) -> dict[str, str]:
    """Return what the stage and `[batch.spark]` ask for, by Spark's names."""
    cores = options.executor_cores or job.resources.cpus
    found: dict[str, str] = {
        "spark.app.name": f"{job.stage} (Lockgate run {job.run})",
        "spark.submit.deployMode": options.deploy_mode,
        "spark.executor.cores": str(cores),
        # spark-submit is to wait for the end in every mode.
        "spark.standalone.submit.waitAppCompletion": "true",
        "spark.yarn.submit.waitAppCompletion": "true",
        "spark.kubernetes.submission.waitAppCompletion": "true",
    }
    if options.master is not None:
        found["spark.master"] = options.master
    memory_bytes = executor_bytes(job, options)
    if memory_bytes is not None:
        found["spark.executor.memory"] = mebibytes(memory_bytes)
    if options.executors is not None:
        found["spark.executor.instances"] = str(options.executors)
    total = options.total_cores or (options.executors * cores if options.executors else None)
    if total is not None:
        found["spark.cores.max"] = str(total)
    if isinstance(options.driver_memory, int):
        found["spark.driver.memory"] = mebibytes(options.driver_memory)
    if options.queue is not None:
        found["spark.yarn.queue"] = options.queue
    lists = {
        "spark.jars.packages": options.packages,
        "spark.jars.repositories": options.repositories,
        "spark.jars": options.jars,
        "spark.submit.pyFiles": options.py_files,
        "spark.files": options.files,
        "spark.archives": options.archives,
    }
    found.update({name: ",".join(values) for name, values in lists.items() if values})
    if options.event_log and options.deploy_mode == "client":
        found |= {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": events_uri,
            # As text and in one file, to be read while it grows.
            "spark.eventLog.compress": "false",
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.buffer.kb": "8",
        }
    return found


def executor_bytes(job: Job, options: Options) -> int | None:
    """Return an executor's memory; None: Spark's own default."""
    if isinstance(options.executor_memory, int):
        return options.executor_memory
    asked = job.resources.memory_bytes
    return None if asked is None else max(asked, LEAST_EXECUTOR_BYTES)


def mebibytes(size_bytes: int) -> str:
    """Return a size as Spark reads it, rounded up: `512m`."""
    return f"{(size_bytes + (1 << 20) - 1) >> 20}m"


def has_setting(site: str, name: str) -> bool:
    """Return whether a properties text sets this name."""
    names = (re.split(r"[\s=:]", line.strip(), maxsplit=1)[0] for line in site.split("\n"))
    return name in names


def _lines(settings: Mapping[str, str]) -> str:
    return "\n".join(f"{name}={escaped(value)}" for name, value in settings.items())


def escaped(value: str) -> str:
    """Return a value as java.util.Properties.load gives it back: ASCII, on one line."""
    units = value.encode("utf-16-be", "surrogatepass")
    text = []
    for high, low in zip(units[::2], units[1::2], strict=True):
        code = high << 8 | low
        if code == 0x5C:
            text.append("\\\\")
        elif 0x20 < code < 0x7F or (code == 0x20 and text):
            text.append(chr(code))
        else:
            text.append(f"\\u{code:04x}")
    return "".join(text)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
