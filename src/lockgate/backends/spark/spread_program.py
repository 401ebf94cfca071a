"""Runs the jobs of a batch as the tasks of one Spark application: spark-submit spread.py, in its folder.

It is copied there, and needs nothing but PySpark. Each task runs `sh wrapper.sh JOB` in files that all
workers share; how a job ended is in its own folder, and never makes the task fail. A task that Spark gives
to another executor, as its own was lost, finds the job begun: it is not run again.
"""

# ruff: noqa: PTH100, PTH110, PTH118, PTH120, PTH123 - any Python that Spark takes, on any worker
from __future__ import annotations

import os
import subprocess
import sys
import time

#: Read by Lockgate too: the hub wants a job ended; a job's executor is gone.
CANCEL, LOST = "cancel", "lost"
_LOOK_S = 0.25
#: After another executor's loss its own watcher has this long to end the job and say so.
_GRACE_S = 20.0

#: Stays behind when the executor is killed: then the pipe closes, and what it ran is ended by its wrapper.
_WATCHER = """
import os, signal, sys
pid, lost = int(sys.argv[1]), sys.argv[2]
if sys.stdin.buffer.read() != b"done":
    open(lost, "w").close()
    os.kill(pid, signal.SIGTERM)
"""


def run_member(wrapper: str, folder: str) -> None:
    """Run one job, unless it has begun before."""
    begun = os.path.join(folder, "pid")
    if os.path.exists(begun):
        _await_end(folder)
        return
    job = subprocess.Popen(
        ["sh", wrapper, folder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    watcher = subprocess.Popen(
        [sys.executable, "-S", "-c", _WATCHER, str(job.pid), os.path.join(folder, LOST)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    is_ended = False
    while True:
        try:
            job.wait(_LOOK_S)
            break
        except subprocess.TimeoutExpired:
            if not is_ended and os.path.exists(os.path.join(folder, CANCEL)):
                job.terminate()
                is_ended = True
    watcher.communicate(b"done")


def _await_end(folder: str) -> None:
    """Wait until a job that another executor began has ended, or is known to be lost."""
    with open(os.path.join(folder, "pid")) as file:
        if file.read().strip() == "0":
            return
    ends_at = time.monotonic() + _GRACE_S
    while time.monotonic() < ends_at:
        for name in ("exit", LOST):
            if os.path.exists(os.path.join(folder, name)):
                return
        time.sleep(_LOOK_S)
    open(os.path.join(folder, LOST), "w").close()


def main() -> None:
    """Run every member of the batch as a task of its own, and end when all have."""
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415

    here = os.path.dirname(os.path.abspath(__file__))
    wrapper = os.path.join(here, "wrapper.sh")
    links = os.path.join(here, "members")
    count = len(os.listdir(links))  # noqa: PTH208
    folders = [os.readlink(os.path.join(links, str(number))) for number in range(count)]  # noqa: PTH115
    context = SparkContext(conf=SparkConf())
    try:
        members = context.parallelize(folders, len(folders))
        members.foreach(lambda folder: run_member(wrapper, folder))
    finally:
        context.stop()


if __name__ == "__main__":
    main()
