"""The one application that jobs are spread by: its files, its process on the hub's host."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from pathlib import Path

import msgspec

from lockgate.backends import local_process
from lockgate.backends.process import MARKER
from lockgate.backends.spark import spread_program
from lockgate.backends.spark.eventlog import EventLog
from lockgate.backends.spark.failures import reason
from lockgate.backends.spark.folder import find_place, write_folder
from lockgate.backends.spark.options import Options
from lockgate.backends.system import Batch
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job
from lockgate.runs.jobscript import SETTINGS, SYSTEM_PATH, quoted
from lockgate.runs.verdict import last_line, tail

PROGRAM, START, LOG, ENDED = "spread.py", "start.sh", "driver.log", "ended"
_RUNTIME = "export VIRTUAL_ENV="
_EXECUTOR_BYTES = 512 << 20
#: Beside what the tasks run, Python and Java need this much (spark.executor.memoryOverhead, least value).
_OVERHEAD_BYTES = 384 << 20

_START = """\
#!/bin/sh
# Spreads the jobs of this batch over the executors of one Spark application.
cd {folder} || exit
set -C
{{ echo $$ >pid; }} 2>/dev/null || exit 75
set +C
trap : HUP INT TERM
PATH={path}
VIRTUAL_ENV={runtime}
HOME=$PWD/tmp LC_ALL=C.UTF-8 PYTHONUNBUFFERED=1
export PATH VIRTUAL_ENV HOME LC_ALL PYTHONUNBUFFERED
[ -n "$VIRTUAL_ENV" ] || unset VIRTUAL_ENV
. ./{settings}
spark-submit {program} </dev/null >{log} 2>&1
echo $? >{ended}
"""


def spread_options(resources: Resources, options: Options) -> Options:
    """Return the options of an application whose tasks are jobs that ask for these resources.

    Jobs run beside Java, in what YARN and Kubernetes call an executor's overhead.
    """
    cores = max(options.executor_cores or 1, resources.cpus)
    own = {
        "spark.task.cpus": resources.cpus,
        "spark.speculation": False,
        "spark.locality.wait": "0s",
    }
    if resources.memory_bytes is not None:
        overhead = _OVERHEAD_BYTES + resources.memory_bytes * (cores // resources.cpus)
        own["spark.executor.memoryOverhead"] = f"{(overhead >> 20) + 1}m"
    return msgspec.structs.replace(
        options,
        executor_cores=cores,
        executor_memory=options.executor_memory or _EXECUTOR_BYTES,
        conf={**own, **options.conf},
    )


def start(batch: Batch, options: Options) -> int:
    """Start a batch's application; return its pid. Raises `OSError`."""
    folder = Path(batch.folder)
    first = batch.jobs[0]
    (folder / "tmp").mkdir(exist_ok=True)
    pseudo = Job(first.run, batch.key, batch.folder, Resources(cpus=first.resources.cpus), first.options)
    write_folder(pseudo, spread_options(first.resources, options), find_place(options))
    (folder / PROGRAM).write_bytes(Path(spread_program.__file__).read_bytes())
    runtime = runtime_of(first.folder)
    text = _START.format(
        folder=quoted(batch.folder),
        path=quoted(f"{runtime}/bin:{SYSTEM_PATH}" if runtime else SYSTEM_PATH),
        runtime=quoted(runtime),
        settings=SETTINGS,
        program=PROGRAM,
        log=LOG,
        ended=ENDED,
    )
    (folder / START).write_text(text, "utf-8", "surrogateescape")
    process = subprocess.Popen(
        ["/bin/sh", START],
        cwd=folder,
        env={"PATH": SYSTEM_PATH, MARKER: local_process.mark_of(batch.folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _CHILDREN.append(process)
    return process.pid


#: Started by this process, to be reaped when they have ended.
_CHILDREN: list[subprocess.Popen[bytes]] = []


def runtime_of(job_folder: str) -> str:
    """Return the virtual environment that a job runs in, as its script says; empty: none."""
    try:
        with Path(job_folder, "job.sh").open(encoding="utf-8", errors="surrogateescape") as script:
            line = next((line for line in script if line.startswith(_RUNTIME)), "")
    except OSError:
        return ""
    words = shlex.split(line.removeprefix(_RUNTIME))
    return words[0] if words else ""


class Application:
    """A batch's application, as its folder and the host's processes tell of it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._log = EventLog(folder)

    @property
    def pid(self) -> int | None:
        return local_process.read_pid(self.folder)

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or is about to."""
        _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]
        if Path(self.folder, ENDED).exists():
            return False
        pid = self.pid
        return pid is None or local_process.is_alive(self.folder, pid)

    def waits_for(self) -> str:
        """Return in words why its members do not run yet."""
        tally = self._log.look()
        if tally.application is None:
            return "its Spark application starts"
        if not tally.executors:
            return f"waits for executors of Spark application {tally.application}"
        return "waits for a free executor"

    def why_ended(self) -> str:
        """Return in words why it is gone."""
        said = tail(Path(self.folder, LOG))
        return reason(said) or last_line(said) or "it was killed"

    def end(self) -> None:
        """End it; what it runs is ended by the watchers at its executors."""
        pid = self.pid
        if pid and local_process.is_alive(self.folder, pid):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)
