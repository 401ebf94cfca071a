"""What a job costs on Dask, over a bare `client.submit` of the same subprocess.

Run: python bench/dask.py [--json] [jobs]
Prints, for two workers of two threads and by either way in turns: the median seconds of one job of a second,
whose ratio is to stay at or below 1.2; and the seconds of many jobs that do nothing.
"""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "services"))
sys.path.insert(1, str(Path(__file__).parents[1] / "src"))
# Beside this file, which has the name of the library.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]

import dask_service  # noqa: E402

from lockgate.backends.batch import BatchBackend  # noqa: E402
from lockgate.backends.contract import Ended  # noqa: E402
from lockgate.backends.dask.system import DaskSystem  # noqa: E402
from lockgate.project.pipeline import Resources  # noqa: E402
from lockgate.runs.job import Job  # noqa: E402
from lockgate.runs.jobscript import base_environment, job_script  # noqa: E402
from lockgate.runs.workspace import lay_out  # noqa: E402

ROUNDS = 3


def bare(client: Any, command: str, count: int) -> float:
    """Seconds until `count` subprocesses of `command` have ended, each a task."""
    began = time.monotonic()
    futures = client.map(
        subprocess.call, [["/bin/sh", "-c", command]] * count, pure=False, resources={"CPU": 1}, retries=0
    )
    assert client.gather(futures) == [0] * count
    return time.monotonic() - began


def ours(backend: BatchBackend, place: Path, command: str, count: int, options: dict[str, object]) -> float:
    """Seconds until `count` jobs have been reported as ended, laid out before."""
    jobs = []
    for number in range(count):
        environment, inside = base_environment(run="r", stage="s", cpus=1, source_date_epoch=10**9)
        folder = place / str(number)
        lay_out(folder, job_script(command, environment, from_folder=inside), ())
        jobs.append(Job("r", "s", os.fspath(folder), Resources(), options))
    began = time.monotonic()
    backend.submit(jobs)
    ended = 0
    while ended < count:
        news = [each for each in backend.poll() if isinstance(each, Ended)]
        assert all(each.exit.is_success for each in news)
        ended += len(news)
        wait_s = backend.poll_interval_s()
        if ended < count:
            select.select(backend.wake_fds(), [], [], 0.5 if wait_s is None else min(wait_s, 0.5))
    return time.monotonic() - began


def measure(count: int) -> dict[str, float]:
    from distributed import Client

    connect: Any = Client
    with dask_service.started() as cluster, tempfile.TemporaryDirectory() as scratch:
        found: dict[str, list[float]] = {}
        with connect(scheduler_file=cluster.options["scheduler_file"]) as client:
            backend = BatchBackend(DaskSystem())
            bare(client, "true", 8)
            ours(backend, Path(scratch, "first"), "true", 8, cluster.options)
            for number in range(ROUNDS):
                for name, command, size in (("one", "sleep 1", 1), ("many", "true", count)):
                    found.setdefault(f"bare_{name}_s", []).append(bare(client, command, size))
                    place = Path(scratch, f"{name}-{number}")
                    found.setdefault(f"ours_{name}_s", []).append(
                        ours(backend, place, command, size, cluster.options)
                    )
            backend.close()
    medians = {name: round(statistics.median(values), 2) for name, values in found.items()}
    return {**medians, "ratio": round(medians["ours_one_s"] / medians["bare_one_s"], 2)}


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--json"]
    figures = measure(int(words[0]) if words else 1000)
    print(json.dumps(figures) if "--json" in sys.argv else figures)
    sys.exit(figures["ratio"] > 1.2)


if __name__ == "__main__":
    main()
