"""Why a Spark driver failed, in words, from what it printed."""

from __future__ import annotations

import re
from collections.abc import Callable

Words = str | Callable[[re.Match[str]], str]

# What Spark 3.5 and 4 print; each is tried in turn, so causes stand before what follows from them.
_REASONS: list[tuple[str, Words]] = [
    (
        r"JAVA_HOME is not set|Unable to locate a Java Runtime|java: (?:command )?not found|"
        r"/bin/java: No such file",
        "Java is not there: install Java 17 or newer on the hub's host, or name it in java_home",
    ),
    (
        r"UnsupportedClassVersionError|Unrecognized option: --add-opens|"
        r"class file version \d+\.\d+, this version of the Java Runtime only",
        "Java is too old for this Spark: install Java 17 or newer, or name it in [batch.spark] java_home",
    ),
    (
        r"spark-submit(?:'|\"|: \d+)?: (?:command )?not found|\d+: spark-submit: not found",
        "spark-submit is not there: add pyspark to the runtime's requirements, or name an installation in "
        "[batch.spark] spark_home",
    ),
    (
        r"All masters are unresponsive",
        "the Spark master does not answer: is it up, and is its address in [batch.spark] master right?",
    ),
    (r"Could not parse Master URL: '?([^'\n]+)", lambda found: f"{found[1]} is no Spark master"),
    (
        r"Cluster deploy mode is (?:currently )?not supported for (\w+) applications on standalone",
        lambda found: (
            f"a standalone cluster runs no {found[1]} driver: leave deploy_mode out, or use yarn or k8s"
        ),
    ),
    (
        r"\[PYTHON_VERSION_MISMATCH\]|Python in worker has different version",
        "workers and driver have different versions of Python: name the workers' in [batch.spark] python",
    ),
    (
        r"Cannot run program \"([^\"\n]*python[^\"\n]*)\"",
        lambda found: (
            f"workers do not find {found[1]}: it must be there under that path (shared files), or "
            "travel with archives and python in [batch.spark]"
        ),
    ),
    (
        r"(?:Failed to load class|error: Failed to load) ([\w.$]*\w)",
        lambda found: f"class {found[1]} is not in the application's jar, nor in jars or packages",
    ),
    (
        r"Failed to find (?:the )?data source:? [\"`]?([\w.-]*\w)",
        lambda found: f"the data source {found[1]} is not found: name its package in [batch.spark] packages",
    ),
    (
        r"(?:java\.lang\.)?(?:ClassNotFoundException|NoClassDefFoundError): ([\w.$/]+)",
        lambda found: (
            f"class {found[1].replace('/', '.')} is not found: name its package in [batch.spark] "
            "packages, or its jar in jars"
        ),
    ),
    (
        r"unresolved dependenc(?:y|ies)",
        "a package could not be downloaded: check packages and repositories in [batch.spark]",
    ),
    (
        r"(?:Mkdirs failed to create|Permission denied[^\n]*) ?file:(\S*/workspace/\S*)",
        lambda found: (
            f"an executor could not write {found[1]}: workers must share the hub's files and may write there"
        ),
    ),
    (
        r"(?:FileNotFoundException: File file:|PATH_NOT_FOUND\][^\n]*file:)(\S*/workspace/\S*)",
        lambda found: (
            f"{found[1].rstrip('.')} is not there, or not for the executors: workers must share the "
            "hub's files"
        ),
    ),
    (
        r"Container killed by YARN for exceeding[^\n]*|Container from a bad node[^\n]*Exit status: 137",
        "an executor was killed for want of memory: raise executor_memory in [batch.spark]",
    ),
    (
        r"(?:ExecutorLostFailure|Lost executor)[^\n]*?(?:with code|Exit status:|exit code|ExitCode) (137|52)",
        lambda found: (
            "an executor "
            + ("was killed (exit code 137)" if found[1] == "137" else "ran out of memory (exit code 52)")
            + ", most likely for want of memory: raise the stage's memory, or executor_memory"
        ),
    ),
    (
        r"OutOfMemoryError: ([^\n]{1,60})",
        lambda found: (
            f"Java ran out of memory ({found[1].strip()}): raise the stage's memory for an executor, "
            "driver_memory in [batch.spark] for the driver"
        ),
    ),
    (
        r"is bigger than (?:local result size limit )?spark\.driver\.maxResultSize",
        "results brought to the driver are larger than spark.driver.maxResultSize: bring less, or raise it "
        "in [batch.spark.conf]",
    ),
    (
        r"(?:ExecutorLostFailure|Lost executor)[^\n]*?Reason: ([^\n]{1,120})",
        lambda found: f"an executor was lost: {found[1].strip()}",
    ),
    (
        r"Service 'sparkDriver' could not bind",
        "the driver could not open a port: set spark.driver.bindAddress and spark.driver.host in "
        "[batch.spark.conf]",
    ),
    (
        r"Application has been killed\. Reason: ([^\n]{1,120})",
        lambda found: f"the master ended the application: {found[1].strip()}",
    ),
]
_COMPILED = [(re.compile(pattern), words) for pattern, words in _REASONS]


def reason(log: str) -> str | None:
    """Return in one line why the driver failed, as far as its log tells; None: it does not."""
    for pattern, words in _COMPILED:
        found = pattern.search(log)
        if found is not None:
            text = words if isinstance(words, str) else words(found)
            return " ".join(text.split())
    return None
