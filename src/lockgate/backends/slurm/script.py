"""The text of a submission: the script, and the words of `sbatch`. Pure."""

from __future__ import annotations

from lockgate.backends.slurm.options import Options, generic_resources
from lockgate.project.pipeline import Resources
from lockgate.runs.jobscript import quoted

#: In the batch's folder: what Slurm itself, or the script before job.sh, had to say.
LOG = "slurm.log"

#: Slurm's own limit comes after the wrapper's, which counts seconds and lets a job save what it has.
_MARGIN_S = 90

# The wrapper is read into this shell: another one would cost each task a millisecond.
_SCRIPT = """\
#!/bin/sh
# Jobs of Lockgate: the folder of each is a link in `members`, from number {first} on.
batch={folder}
set -- "$batch/members/$(({first} + ${{SLURM_ARRAY_TASK_ID:-0}}))"
. "$batch"/wrapper.sh
"""


def batch_script(folder: str, first: int = 0) -> str:
    """Return the script: array task N runs the member with the number `first` + N."""
    return _SCRIPT.format(folder=quoted(folder), first=first)


def sbatch_words(
    key: str, folder: str, script: str, count: int, resources: Resources, options: Options
) -> list[str]:
    """Return the words of the call that submits `count` jobs: an array where they are more than one.

    Sources: sbatch(1) of Slurm 20.02 to 26.05. Memory is in MiB and time in minutes there, both rounded up.
    With `--time-min`, a walltime that is just its partition's limit is not refused for the margin.
    """
    words = [
        "sbatch",
        "--parsable",
        f"--job-name={key}",
        f"--chdir={folder}",
        f"--output={log_pattern(folder)}",
        "--open-mode=append",
        "--export=ALL",
        "--no-requeue",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={resources.cpus}",
    ]
    if count > 1:
        words.append(f"--array=0-{count - 1}")
    if resources.memory_bytes is not None:
        words.append(f"--mem={memory_mib(resources.memory_bytes)}M")
    if resources.walltime_s is not None:
        words.append(f"--time={-(-(resources.walltime_s + _MARGIN_S) // 60)}")
        words.append(f"--time-min={max(1, -(-resources.walltime_s // 60))}")
    gres = generic_resources(options, resources.gpus)
    if gres:
        words.append(f"--gres={gres}")
    for name in ("partition", "account", "qos", "constraint", "reservation", "nodelist", "exclude"):
        value = getattr(options, name)
        if value is not None:
            words.append(f"--{name}={value}")
    return [*words, *options.extra, script]


def array_sizes(count: int, limit: int) -> list[int]:
    """Return of how many tasks each array is that together run `count` jobs."""
    return [min(limit, count - first) for first in range(0, count, limit)]


def native_ids(number: str, count: int) -> list[str]:
    """Return how Slurm calls the jobs of a submission: `7`, or `7_0` and so on."""
    return [number] if count == 1 else [f"{number}_{task}" for task in range(count)]


def memory_mib(memory_bytes: int) -> int:
    """Return whole MiB, rounded up; never 0, which would mean all the memory of a node."""
    return max(1, -(-memory_bytes // 2**20))


def log_pattern(folder: str) -> str:
    """Return the batch's log as a filename pattern, in which `%` begins a symbol; a path with a backslash
    cannot be said in one (sbatch(1), "filename pattern")."""
    return "/dev/null" if "\\" in folder else f"{folder}/{LOG}".replace("%", "%%")
