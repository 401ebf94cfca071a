"""Slurm as a batch system: an array for a batch, one `squeue` for a look, `sacct` for what squeue forgot."""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.slurm import answers, client
from lockgate.backends.slurm.answers import Account, Cluster, Row
from lockgate.backends.slurm.options import read_options
from lockgate.backends.slurm.outlook import SINFO_FORMAT, partition_words, start_words
from lockgate.backends.slurm.refusals import TooManyError
from lockgate.backends.slurm.script import array_sizes, batch_script, native_ids, sbatch_words
from lockgate.backends.slurm.states import has_ended, is_failure, seen
from lockgate.backends.system import Batch, Seen, Submitted
from lockgate.errors import OutsideError, UserError
from lockgate.project.pipeline import Resources
from lockgate.runs import exitrecord
from lockgate.runs.job import ExitRecord, Job

#: slurm.conf(5): arrays have at most MaxArraySize tasks, 1001 unless set.
_ARRAY_LIMIT = 1000
_LOOK_S = 0.5
_NO_SUCH_JOB = ("Invalid job id specified",)


class SlurmSystem:
    """Slurm by its commands, run as the hub's owner. How the cluster is set up is asked once."""

    name = "Slurm"
    keeps_walltime = False

    def __init__(self) -> None:
        self._cluster: Cluster | None = None
        self._limit = _ARRAY_LIMIT
        self._mark = secrets.token_hex(8)
        self._cancelled: set[str] = set()
        """The native ids of jobs that this process cancelled."""

    @property
    def keeps_memory(self) -> bool:
        return self._asked_cluster().keeps_memory

    @property
    def ends_leftovers(self) -> bool:
        return self._asked_cluster().ends_leftovers

    def refuses(self, job: Job) -> str | None:
        options = read_options(job.options)
        if isinstance(options, str):
            return options
        if not job.folder.isprintable():
            return f"the path {job.folder!r} cannot be handed to Slurm"
        return None

    def batch_limit(self) -> int:
        return self._limit

    def submit(self, batch: Batch) -> Sequence[str]:
        """Submit one array, or as many as the cluster's MaxArraySize makes of it."""
        limit = self._asked_cluster().array_limit
        ids: list[str] = []
        try:
            for size in array_sizes(len(batch.jobs), limit):
                ids += self._submit_array(batch, len(ids), size)
        except TooManyError:
            self._limit = max(1, len(batch.jobs) // 2)
            raise
        self._limit = min(_ARRAY_LIMIT, max(self._limit, 2 * len(batch.jobs)))
        return ids

    def find(self, batches: Sequence[Batch]) -> Mapping[str, Sequence[str]]:
        arrays: dict[str, set[str]] = {batch.key: set() for batch in batches}
        for row in self._queue():
            if row.key in arrays:
                arrays[row.key].add(row.array_id)
        unseen = [key for key, found in arrays.items() if not found]
        if unseen and self._asked_cluster().has_accounting:
            words = [*_SACCT, "--allocations", f"--starttime={_LONG_AGO}", f"--name={','.join(unseen)}"]
            for account in answers.accounts(client.run(words)).values():
                if account.key in arrays:
                    arrays[account.key].add(account.native_id.partition("_")[0])
        limit = self._asked_cluster().array_limit
        found = {}
        for batch in batches:
            # All tasks of an array were submitted at once; Slurm may have forgotten some of them already.
            sizes = array_sizes(len(batch.jobs), limit)
            numbers = sorted(arrays[batch.key], key=int)
            if len(numbers) == len(sizes):
                pairs = zip(numbers, sizes, strict=True)
                found[batch.key] = [each for number, size in pairs for each in native_ids(number, size)]
        return found

    def look(self, jobs: Sequence[Submitted]) -> Mapping[str, Seen]:
        """One `squeue`; and one `sacct`, where there is accounting and jobs have ended or are gone."""
        queue = self._queue()
        rows = {native_id: row for row in queue for native_id in row.native_ids()}
        arrays = {(row.array_id, row.key) for row in queue}
        over = [job for job in jobs if job.native_id not in rows or has_ended(rows[job.native_id].state)]
        told, is_told_all = self._accounts(over)
        failed = (job for job in over if job.native_id in rows and is_failure(rows[job.native_id].state))
        codes = self._exit_codes(job for job in failed if job.native_id not in told)
        said = {}
        for job in jobs:
            row, account = rows.get(job.native_id), told.get(job.native_id)
            if row is not None:
                said[job.native_id] = self._seen_in_queue(job, row, account, codes.get(job.native_id))
            elif account is not None and has_ended(account.state):
                said[job.native_id] = self._seen_in_accounts(job, account, "")
            elif self._was_cancelled_waiting(job, arrays):
                ender = None if job.native_id in self._cancelled else _SOMEBODY
                said[job.native_id] = seen("CANCELLED", "", job.key, job.job.resources, ender=ender)
            elif not is_told_all and exitrecord.read_raw(job.job.folder) is None:
                said[job.native_id] = Seen("running", job.key, reason=_UNTOLD)
        return said

    def cancel(self, jobs: Sequence[Submitted]) -> None:
        keys = {job.native_id: job.key for job in jobs}
        alive = [
            native_id
            for row in self._queue()
            if not has_ended(row.state)
            for native_id in row.native_ids()
            if keys.get(native_id) == row.key
        ]
        self._cancelled.update(alive)
        if alive:
            client.run(["scancel", "--quiet", *answers.task_expressions(alive)], may_say=_NO_SUCH_JOB)

    def explain(self, jobs: Sequence[Submitted]) -> Mapping[str, str]:
        """Add when Slurm expects to start them, and how their partitions are."""
        wanted = {job.native_id: job.key for job in jobs}
        rows = [
            (native_id, row)
            for row in self._queue()
            for native_id in row.native_ids()
            if wanted.get(native_id) == row.key
        ]
        if not rows:
            return {}
        state = partition_words(client.run(["sinfo", "--noheader", f"--format={SINFO_FORMAT}"]))
        told = {}
        for native_id, row in rows:
            words = seen(row.state, row.reason, row.key, Resources()).reason
            more = [state.get(each, "") for each in row.partition.split(",")]
            more.append(start_words(row.start_at))
            told[native_id] = "; ".join([words, *(each for each in more if each)])
        return told

    def bring(self, job: Submitted) -> None:
        """Nothing to do: Slurm's nodes share their files with the hub."""

    def wake_fd(self) -> int | None:
        return None

    def look_interval_s(self) -> float:
        return _LOOK_S

    def close(self) -> None:
        """Nothing to let go of."""

    def _asked_cluster(self) -> Cluster:
        if self._cluster is None:
            self._cluster = answers.cluster(client.run(["scontrol", "show", "config"]))
        return self._cluster

    def _queue(self) -> list[Row]:
        """All jobs of the hub's owner that Slurm has in mind: ended ones for MinJobAge (slurm.conf(5))."""
        words = ["squeue", "--noheader", "--states=all", f"--user={os.getuid()}"]
        answer = client.run([*words, f"--format={answers.squeue_format(self._mark)}"])
        return answers.queue_rows(answer, self._mark)

    def _submit_array(self, batch: Batch, first: int, count: int) -> list[str]:
        options = read_options(batch.jobs[0].options)
        if isinstance(options, str):
            raise UserError(options, "Correct it in lockgate.toml.", code="slurm-refused")
        script = f"{batch.folder}/slurm-{first}.sh"
        try:
            Path(script).write_text(
                batch_script(batch.folder, first), encoding="utf-8", errors="surrogateescape"
            )
        except OSError as error:
            raise OutsideError(
                f"{script} could not be written: {error.strerror}",
                "Make room on that disk, or give it back; the jobs are submitted then.",
                code="job-folder",
                is_transient=True,
            ) from None
        resources = batch.jobs[0].resources
        words = sbatch_words(batch.key, batch.folder, script, count, resources, options)
        return native_ids(answers.submitted_id(client.run(words)), count)

    def _accounts(self, jobs: Sequence[Submitted]) -> tuple[dict[str, Account], bool]:
        """Return what the accounting knows of jobs, and whether it could be asked all there is to know."""
        if not jobs or not self._asked_cluster().has_accounting:
            return {}, True
        arrays = dict.fromkeys(job.native_id.partition("_")[0] for job in jobs)
        try:
            return answers.accounts(client.run([*_SACCT, f"--jobs={','.join(arrays)}"])), True
        except OutsideError:
            return {}, False

    def _was_cancelled_waiting(self, job: Submitted, arrays: Container[tuple[str, str]]) -> bool:
        """Slurm keeps no record of a task that is taken out of its array while it waits."""
        array_id, _, task = job.native_id.partition("_")
        is_taken_out = bool(task) and ((array_id, job.key) in arrays or job.native_id in self._cancelled)
        return is_taken_out and exitrecord.started(job.job.folder) is None

    def _exit_codes(self, jobs: Iterable[Submitted]) -> dict[str, tuple[int | None, int | None]]:
        """Ask for the codes of those jobs that left no record of their own: squeue does not tell codes."""
        silent = [job for job in jobs if exitrecord.read_raw(job.job.folder) is None]
        codes = {}
        for array_id in dict.fromkeys(job.native_id.partition("_")[0] for job in silent):
            words = ["scontrol", "--oneliner", "show", "job", array_id]
            codes.update(answers.exit_codes(client.run(words, may_say=_NO_SUCH_JOB)))
        return codes

    def _seen_in_queue(
        self, job: Submitted, row: Row, account: Account | None, code: tuple[int | None, int | None] | None
    ) -> Seen:
        if not has_ended(row.state):
            return seen(row.state, row.reason, row.key, job.job.resources)
        if account is not None and account.key == row.key and has_ended(account.state):
            return self._seen_in_accounts(job, account, row.reason)
        number, signal = code or (None, None)
        told = ExitRecord(code=number, signal=signal, started_at=row.start_at, ended_at=row.end_at)
        ender = None if job.native_id in self._cancelled else _SOMEBODY
        return seen(row.state, row.reason, row.key, job.job.resources, told=told, ender=ender)

    def _seen_in_accounts(self, job: Submitted, account: Account, reason: str) -> Seen:
        told = ExitRecord(
            code=account.code,
            signal=account.signal,
            started_at=account.started_at,
            ended_at=account.ended_at,
            peak_memory_bytes=account.peak_memory_bytes,
            cpu_time_s=account.cpu_time_s,
        )
        ender = None if job.native_id in self._cancelled else _ender(account.state)
        return seen(account.state, reason or "None", account.key, job.job.resources, told=told, ender=ender)


_SACCT = (
    "sacct",
    "--noheader",
    "--parsable2",
    "--noconvert",
    f"--format={answers.SACCT_FORMAT}",
)
#: A submission in doubt is no older than the hub's last start.
_LONG_AGO = "now-60days"
_SOMEBODY = "by somebody with scancel"
_UNTOLD = "is no longer in Slurm's queue, and its accounting (slurmdbd) does not answer how it ended"


def backend() -> Backend:
    """Return the backend `slurm`: Slurm as the hub's host is set up for it (`SLURM_CONF`)."""
    return BatchBackend(SlurmSystem())


def _ender(state: str) -> str:
    """Read who cancelled a job from `CANCELLED by 1000`."""
    _, _, number = state.partition(" by ")
    if not number.isdecimal():
        return _SOMEBODY
    try:
        return f"by {pwd.getpwuid(int(number)).pw_name} with scancel"
    except (KeyError, OverflowError):
        return f"by user {number} with scancel"
