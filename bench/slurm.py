"""What Slurm jobs cost through Lockgate, over the same jobs by Slurm's own commands on the same cluster.

Run: python bench/slurm.py [members]
Starts a Slurm with accounting of its own (tests/services/slurm.sh). Ours goes all the way,
from `lockgate run` to the results in the work tree.
"""

from __future__ import annotations

import os
import resource
import select
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/services"))

import slurm_service
from slurm_service import Slurm

from lockgate.backends.registry import load_backend
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job
from lockgate.runs.jobscript import job_script
from lockgate.runs.workspace import lay_out
from measure import LOCKGATE, Row, absolute, environment, paired, program, sh, timed

_ONE = """\
[batch]
backend = "slurm"
[params]
seed = 0
[stages.job]
run = "echo {seed} > out"
needs = []
makes = ["out"]
"""
_MANY = """\
[batch]
backend = "slurm"
[params]
seed = 0
[stages.job]
run = "echo {{seed}} {{n}} > out-{{n}}"
needs = []
makes = ["out-{{n}}"]
matrix = {{ n = [{numbers}] }}
"""
#: As long as one watch is measured, in seconds.
_WATCH_S = 60


def slurm(scratch: Path, is_quick: bool, members: int = 1000) -> list[Row]:
    if lacking := slurm_service.missing(accounting=True):
        print(f"NOT MEASURED: Slurm: not installed: {lacking}", file=sys.stderr)
        return []
    members = 50 if is_quick else members
    # With few cpus it is Slurm's scheduling cycle that sets the pace, which differs by half from run to run
    with slurm_service.running("--cpus", "100", "--memory", "20000", accounting=True) as cluster:
        env = environment(scratch) | {"SLURM_CONF": str(cluster.conf)}
        env["PATH"] = f"{_counting(scratch)}:{env['PATH']}"
        return [
            _one(scratch, env, 2 if is_quick else 7),
            *_matrix(scratch, env, members, 1 if is_quick else 3),
            _watch(scratch, cluster, members, 10 if is_quick else _WATCH_S),
        ]


def _counting(scratch: Path) -> Path:
    """Return a folder of Slurm's commands that note each call in `calls`."""
    counting = scratch / "counting"
    counting.mkdir()
    for name in ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo"):
        script = f"#!/bin/sh\necho {name} >>'{scratch}/calls'\nexec {shutil.which(name)} \"$@\"\n"
        (counting / name).write_text(script)
        (counting / name).chmod(0o755)
    return counting


def _project(scratch: Path, env: dict[str, str], name: str, manifest: str) -> Path:
    tree = scratch / name
    tree.mkdir()
    (tree / "lockgate.toml").write_text(manifest)
    sh("git init -q -b main && git add . && git commit -qm first && lockgate init", tree, env)
    return tree


def _one(scratch: Path, env: dict[str, str], rounds: int) -> Row:
    tree = _project(scratch, env, "one", _ONE)
    numbers = iter(range(10**6))

    def ours() -> None:
        program([LOCKGATE, "run", "-p", f"seed={next(numbers)}"], tree, env)()

    words = ["sbatch", "--wait", "--parsable", "--output=/dev/null", "--wrap", "echo 1 > out"]
    floor = program(words, scratch, env)
    what = "one Slurm job, `lockgate run` to results"
    return paired(what, "`sbatch --wait`", floor, ours, 1.2, rounds, note="sbatch asks every few seconds")


def _matrix(scratch: Path, env: dict[str, str], members: int, rounds: int) -> list[Row]:
    tree = _project(scratch, env, "many", _MANY.format(numbers=", ".join(map(str, range(members)))))
    notes = scratch / "calls"
    seeds = iter(range(10**6))
    bare = f"""
        task='echo $SLURM_ARRAY_TASK_ID > {scratch}/bare-$SLURM_ARRAY_TASK_ID'
        id=$(sbatch --parsable --array=0-{members - 1} --output=/dev/null --wrap "$task")
        while [ -n "$(squeue --noheader --user=$(id -u))" ]; do sleep 1; done
        sacct --parsable2 --noheader --jobs=$id --format=JobID,State,ExitCode >/dev/null"""
    pairs = []
    for _ in range(rounds):
        floor_ms = timed(lambda: sh(bare, scratch, env))
        notes.unlink()
        pairs.append((floor_ms, timed(program([LOCKGATE, "run", "-p", f"seed={next(seeds)}"], tree, env))))
    calls = notes.read_text().split()
    submitting = calls.count("sbatch") + calls.count("scontrol")
    floor_ms, ours_ms = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(ours / floor for floor, ours in pairs)
    note = f"in all {len(calls)} commands: {calls.count('squeue')} squeue, {calls.count('sacct')} sacct"
    what = f"a matrix of {members:,} on Slurm, `lockgate run` to results"
    return [
        Row(what, "`sbatch --array`, `sacct`", floor_ms, ours_ms, ratio, "≤ 1.5 ×", ratio <= 1.5, note),
        Row(
            f"commands to submit a matrix of {members:,}",
            "—",
            None,
            float(submitting),
            None,
            "≤ 2",
            submitting <= 2,
            "a number, no milliseconds",
        ),
    ]


def _watch(scratch: Path, cluster: Slurm, members: int, seconds: int) -> Row:
    """Watch jobs of which nothing changes; count our processor time and that of the commands we call."""
    os.environ["SLURM_CONF"] = str(cluster.conf)
    jobs = []
    for n in range(members):
        folder = scratch / "watched" / str(n)
        lay_out(folder, job_script("true", {}), ())
        jobs.append(Job("01RUN", f"s{n}", str(folder), Resources(), {"extra": ["--hold"]}))
    backend = load_backend("slurm")
    backend.submit(jobs)
    ends_at = time.monotonic() + 5
    _poll(backend, ends_at)
    before, ends_at = _used_s(), time.monotonic() + seconds
    _poll(backend, ends_at)
    share = (_used_s() - before) / seconds
    backend.close()
    cluster.clear()
    what = f"watching {members:,} Slurm jobs, ms of a core a second"
    note = f"the {seconds} s after the last change; less and less later"
    return absolute(what, share * 1000, 10, note)


def _poll(backend: object, ends_at: float) -> None:
    while (left := ends_at - time.monotonic()) > 0:
        backend.poll()  # type: ignore[attr-defined]
        interval_s = backend.poll_interval_s()  # type: ignore[attr-defined]
        wait_s = left if interval_s is None else min(interval_s, left)
        select.select(backend.wake_fds(), [], [], wait_s)  # type: ignore[attr-defined]


def _used_s() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def main() -> int:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    members = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
        for row in slurm(Path(scratch), False, members):
            ratio = f"{row.ratio:.2f} ×" if row.ratio is not None else ""
            floor = f"{row.floor_ms:.0f}" if row.floor_ms is not None else "—"
            print(f"{row.what}: {row.ours_ms:.1f} ms, floor {floor} ms {ratio} (bar {row.bar}); {row.note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
