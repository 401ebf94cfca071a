"""Reading what Slurm's commands answer: lines of fields that we chose ourselves. Pure.

`squeue --format` and `sacct --parsable2` are the same from Slurm 20.02 to 26.05; the members of `--json`
change with every release, and are a hundred times as many bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from lockgate.errors import OutsideError

_SQUEUE_FIELDS = "%F|%K|%T|%S|%e|%P|%r|%j|%Z"
SACCT_FORMAT = "JobID,State,ExitCode,Start,End,MaxRSS,TotalCPU,JobName"

_TASKS = re.compile(r"\[?(\d+(?:-\d+(?::\d+)?)?(?:,\d+(?:-\d+(?::\d+)?)?)*)\]?(?:%\d+)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)")
_CPU_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_SETTING = re.compile(r"^(\w+)(?:\[\d+\])?\s*= ?(.*)$", re.MULTILINE)
_EXIT_CODE = re.compile(r"(\d+):(\d+)")
_JOB_ID = re.compile(r"(\d+)(?:_(\d+))?(\.\w+)?")


class Row(msgspec.Struct, frozen=True):
    """One line of `squeue`: a job, or those tasks of an array that still wait."""

    array_id: str
    tasks: tuple[int, ...] | None
    """None: no array."""
    state: str
    start_at: float | None
    """When it started, or is expected to."""
    end_at: float | None
    partition: str
    reason: str
    key: str
    folder: str

    def native_ids(self) -> list[str]:
        return [self.array_id] if self.tasks is None else [f"{self.array_id}_{each}" for each in self.tasks]


class Account(msgspec.Struct, frozen=True):
    """What the accounting knows of one job."""

    native_id: str
    state: str
    code: int | None
    signal: int | None
    started_at: float | None
    ended_at: float | None
    peak_memory_bytes: int | None
    cpu_time_s: float | None
    key: str


class Cluster(msgspec.Struct, frozen=True):
    """What there is to know of how a cluster is set up."""

    has_accounting: bool
    keeps_memory: bool
    ends_leftovers: bool
    array_limit: int
    """The most tasks that one array may have."""


def submitted_id(answer: str) -> str:
    """Read what `sbatch --parsable` answers: `ID` or `ID;CLUSTER`. A plugin of the site's may print more
    lines before it."""
    lines = answer.split()
    number = lines[-1].partition(";")[0] if lines else ""
    if not number.isdecimal():
        raise _odd("sbatch", answer)
    return number


def squeue_format(mark: str) -> str:
    """Return the lines that `queue_rows` reads. A job's name may hold anything, a line break too: what begins
    a line of ours is a word that nobody can know, and the name and the folder come last."""
    return f"{mark}|{_SQUEUE_FIELDS}"


def queue_rows(answer: str, mark: str) -> list[Row]:
    """Read `squeue --noheader --format=…`, times in seconds since the epoch."""
    lines = ("\n" + answer).split(f"\n{mark}|")[1:]
    return [_row(line.removesuffix("\n"), answer) for line in lines]


def _row(line: str, answer: str) -> Row:
    fields = line.split("|", 8)
    if len(fields) != 9 or not fields[0].isdecimal():
        raise _odd("squeue", answer)
    array_id, tasks, state, start, end, partition, reason, key, folder = fields
    return Row(
        array_id, _tasks(tasks, answer), state, _time(start), _time(end), partition, reason, key, folder
    )


def _tasks(text: str, answer: str) -> tuple[int, ...] | None:
    """Read the tasks of a line: `N/A`, `7`, `0-3,9`, `0-1000:2%5`."""
    if text == "N/A":
        return None
    found = _TASKS.fullmatch(text)
    if found is None:
        raise _odd("squeue", answer)
    tasks: list[int] = []
    for part in found[1].split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        tasks += range(int(first), int(last or first) + 1, int(step or 1) or 1)
    return tuple(tasks)


def accounts(answer: str) -> dict[str, Account]:
    """Read `sacct --parsable2 --noheader --noconvert --format=SACCT_FORMAT`; return native id → what it says.

    A job has a line of its own, and one for each step; peak memory is that of the steps (sacct(1), MaxRSS).
    """
    jobs: dict[str, Account] = {}
    peaks: dict[str, int] = {}
    for line in answer.splitlines():
        fields = line.split("|", 7)
        found = _JOB_ID.fullmatch(fields[0])
        if found is None or len(fields) != 8:
            continue  # tasks that still wait (`5_[2-9]`), or the rest of a name with a line break
        _, state, exit_code, start, end, peak, cpu, key = fields
        native_id = fields[0].removesuffix(found[3] or "")
        if (peak_bytes := _bytes(peak)) is not None:
            peaks[native_id] = max(peak_bytes, peaks.get(native_id, 0))
        if found[3] is None:
            code, number = _exit_code(exit_code)
            jobs[native_id] = Account(
                native_id, state, code, number, _time(start), _time(end), None, _seconds(cpu), key
            )
    return {
        native_id: msgspec.structs.replace(job, peak_memory_bytes=peaks.get(native_id))
        for native_id, job in jobs.items()
    }


def exit_codes(answer: str) -> dict[str, tuple[int | None, int | None]]:
    """Read `scontrol --oneliner show job`; return native id → exit code and signal."""
    codes = {}
    for line in answer.splitlines():
        words = dict(word.partition("=")[::2] for word in reversed(line.split(" ")))
        task = words.get("ArrayTaskId", "")
        native_id = f"{words.get('ArrayJobId', '')}_{task}" if task else words.get("JobId", "")
        if _JOB_ID.fullmatch(native_id) and "ExitCode" in words:
            codes[native_id] = _exit_code(words["ExitCode"])
    return codes


def cluster(answer: str) -> Cluster:
    """Read `scontrol show config`; what a version does not show counts as not there."""
    found = _SETTING.findall(answer)
    settings = {name: value.strip() for name, value in found}
    if "ClusterName" not in settings:
        raise _odd("scontrol", answer)
    storage = settings.get("AccountingStorageType", "")
    limits = re.findall(r"max_array_tasks=(\d+)", settings.get("SchedulerParameters", ""))
    limits += [settings.get("MaxArraySize", "")]
    return Cluster(
        has_accounting=storage not in ("", "(null)", "accounting_storage/none"),
        keeps_memory=(
            settings.get("ConstrainRAMSpace", "").lower() in ("yes", "true")
            and "task/cgroup" in settings.get("TaskPlugin", "")
            and "MEMORY" in settings.get("SelectTypeParameters", "").upper()
        ),
        ends_leftovers=settings.get("ProctrackType", "") == "proctrack/cgroup",
        array_limit=max(1, min((int(each) for each in limits if each.isdecimal()), default=1)),
    )


def task_expressions(native_ids: Iterable[str]) -> list[str]:
    """Return jobs as `scancel` takes them, the tasks of one array as one word: `7`, `9_[0-3,5]`."""
    plain, arrays = [], dict[str, list[int]]()
    for native_id in native_ids:
        array_id, _, task = native_id.partition("_")
        if task:
            arrays.setdefault(array_id, []).append(int(task))
        else:
            plain.append(array_id)
    return plain + [f"{array_id}_[{_spans(sorted(tasks))}]" for array_id, tasks in arrays.items()]


def _spans(numbers: list[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number <= spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _time(text: str) -> float | None:
    """Read seconds since the epoch; `N/A`, `Unknown` and 0 are none."""
    return float(text) if text.isdecimal() and int(text) else None


def _exit_code(text: str) -> tuple[int | None, int | None]:
    """Read `CODE:SIGNAL`. A shell's code above 128 is the signal of what it ran; 125 with one is Slurm's
    sign for want of memory."""
    found = _EXIT_CODE.fullmatch(text)
    if found is None:
        return None, None
    code, number = int(found[1]), int(found[2])
    return (None, number) if number else (code, None)


def _bytes(text: str) -> int | None:
    found = _SIZE.fullmatch(text)
    return round(float(found[1]) * 1024 ** ("KMGTP".find(found[2] or "-") + 1)) if found else None


def _seconds(text: str) -> float | None:
    """Read `[DD-[HH:]]MM:SS.mmm`."""
    found = _CPU_TIME.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = found.groups()
    return round(((int(days or 0) * 24 + int(hours or 0)) * 60 + int(minutes)) * 60 + float(seconds), 6)


def _odd(program: str, answer: str) -> OutsideError:
    shown = " ".join(answer.split())[:200]
    return OutsideError(
        f"{program} answered what Lockgate does not understand: {shown!r}",
        "Lockgate does not guess what that means: please report it, with the output of `sinfo --version`.",
        code="slurm-answer",
    )
