"""HTCondor as a `BatchSystem`: one cluster a batch, one event log a batch."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lockgate.backends import ledger
from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.htcondor import access, answers, description, parcel, seeing
from lockgate.backends.htcondor.access import AccessPoint, Way
from lockgate.backends.htcondor.analysis import analysis_words
from lockgate.backends.htcondor.eventlog import EventLog
from lockgate.backends.htcondor.events import Story
from lockgate.backends.htcondor.options import Options, read_options
from lockgate.backends.htcondor.place import Place
from lockgate.backends.system import Batch, Seen, Submitted
from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.runs.job import Job

#: As many jobs as access points take in one submission without harm: MAX_JOBS_PER_SUBMISSION is 20,000, and a
#: queue of more than 10,000 slows a schedd down.
_BATCH_LIMIT = 5_000
#: A look reads logs, which costs the access point nothing; its queue is asked this rarely.
_LOOK_S = 0.1
_CHECK_EVERY_S = 60.0
_DOUBT_EVERY_S = 2.0
#: An eviction in the log is followed at once by what it was for; this long it is waited for.
_EVICTED_FOR_S = 5.0
_ANALYSED_AT_ONCE = 5

_ATTRIBUTES = (
    "ClusterId", "ProcId", "LockgateKey", "JobStatus", "NumJobStarts", "HoldReason", "HoldReasonCode",
    "HoldReasonSubCode", "RemoveReason", "ExitCode", "ExitBySignal", "ExitSignal", "TotalSubmitProcs",
)  # fmt: skip


def backend(interface: Way = "auto") -> Backend:
    """Return the backend `htcondor`; by `bindings`, by `commands`, or by what works."""
    return BatchBackend(HTCondorSystem(interface))


class HTCondorSystem:
    """Jobs by HTCondor's access point, seen by the log that it writes for each batch.

    Parameters
    ----------
    way
        Whether HTCondor is spoken to by its bindings, its commands, or by what works.
    check_every_s
        How often, in seconds, the queue itself is asked whether it still has the jobs it should have.
    """

    name = "HTCondor"
    keeps_walltime = False
    keeps_memory = False
    ends_leftovers = False

    def __init__(self, way: Way = "auto", *, check_every_s: float = _CHECK_EVERY_S) -> None:
        self._way = way
        self._check_every_s = check_every_s
        self._access: dict[Place, AccessPoint] = {}
        self._folders: dict[str, str] = {}
        """Of batches, by key."""
        self._logs: dict[str, EventLog] = {}
        """By folder of the batch."""
        self._told: dict[str, Seen] = {}
        """What the queue or the history said of jobs of which the log is silent, by native id."""
        self._forgotten: set[str] = set()
        """Native ids that the log says are alive and the queue does not know."""
        self._checked_at = time.monotonic()
        self._doubted_at = 0.0
        self._evicted_at: dict[str, float] = {}

    def refuses(self, job: Job) -> str | None:
        options = read_options(job.options)
        return options if isinstance(options, str) else None

    def batch_limit(self) -> int:
        return _BATCH_LIMIT

    def submit(self, batch: Batch) -> Sequence[str]:
        first = batch.jobs[0]
        options = _options(first)
        path = f"{batch.folder}/{description.DESCRIPTION}"
        _write_submission(batch, options, path)
        place = _place(options)
        cluster, count = self._at(place).submit(path, place)
        if count != len(batch.jobs) and not _is_factory(options):
            raise OutsideError(
                f"HTCondor took {count} jobs where {len(batch.jobs)} were submitted",
                f"Look at them with: condor_q {cluster}",
                code="htcondor-answer",
            )
        return [f"{cluster}.{number}" for number in range(len(batch.jobs))]

    def find(self, batches: Sequence[Batch]) -> Mapping[str, Sequence[str]]:
        found = {}
        unknown: dict[Place, list[Batch]] = {}
        for batch in batches:
            cluster = self._cluster_in_log(batch)
            if cluster is None:
                unknown.setdefault(_place(_options(batch.jobs[0])), []).append(batch)
            else:
                found[batch.key] = [f"{cluster}.{number}" for number in range(len(batch.jobs))]
        for place, those in unknown.items():
            found |= self._find_by_key(those, place)
        return found

    def look(self, jobs: Sequence[Submitted]) -> Mapping[str, Seen]:
        has_news = self._read_logs(jobs)
        now = time.monotonic()
        seen: dict[str, Seen] = {}
        silent, alive, doubled = [], [], []
        for job in jobs:
            story = self._story(job)
            if story is None:
                silent.append(job)
                continue
            if not story.is_over:
                alive.append(job)
            elif self._is_unclear(job, story, now):
                seen[job.native_id] = Seen("running", story.key)
                continue
            if story.state == "restarted":
                doubled.append(job)
            seen[job.native_id] = seeing.seen_of_story(story, job.job.resources)
        self._check(silent, alive, now, is_urgent=bool(silent), is_optional=has_news)
        for job in silent:
            if job.native_id in self._told:
                seen[job.native_id] = self._told[job.native_id]
        for native_id in self._forgotten & seen.keys():
            if native_id in self._told:
                seen[native_id] = self._told[native_id]
            else:
                del seen[native_id]
        if doubled:
            self.cancel(doubled)
        return seen

    def cancel(self, jobs: Sequence[Submitted]) -> None:
        for place, those in _by_place(jobs).items():
            constraint = answers.constraint_of(job.native_id for job in those)
            keys = sorted({job.key for job in those})
            ours = answers.key_constraint(description.KEY, keys)
            self._at(place).remove(f"({constraint}) && ({ours})", seeing.OUR_REASON, place)

    def explain(self, jobs: Sequence[Submitted]) -> Mapping[str, str]:
        """One job of each batch is analysed: the others ask for the same."""
        words: dict[str, str] = {}
        for place, those in _by_place(jobs).items():
            idle = [job for job in those if self._is_idle(job)]
            samples = {job.key: job.native_id for job in reversed(idle)}
            for_analysis = list(samples.values())[:_ANALYSED_AT_ONCE]
            if for_analysis:
                said = analysis_words(self._at(place).analyse(for_analysis, place))
                for job in idle:
                    sample = samples[job.key]
                    if sample in said:
                        words[job.native_id] = said[sample]
        return words

    def bring(self, job: Submitted) -> None:
        if _options(job.job).transfer:
            parcel.open_parcel(job.job.folder)

    def wake_fd(self) -> int | None:
        return None

    def look_interval_s(self) -> float:
        return _LOOK_S

    def close(self) -> None:
        self._logs.clear()

    def _at(self, place: Place) -> AccessPoint:
        if place not in self._access:
            self._access[place] = access.choose(self._way, place)
        return self._access[place]

    def _folder(self, job: Submitted) -> str:
        """Return the folder of a job's batch; empty: nobody knows any more."""
        if job.key not in self._folders:
            folder = os.path.join(os.path.dirname(job.job.folder), ledger.BATCHES, job.key)  # noqa: PTH118, PTH120
            if not os.path.isdir(folder):  # noqa: PTH112
                note = ledger.read_note(job.job.folder)
                folder = note.folder if note is not None and note.key == job.key else ""
            self._folders[job.key] = folder
        return self._folders[job.key]

    def _log(self, folder: str) -> EventLog:
        if folder not in self._logs:
            self._logs[folder] = EventLog(f"{folder}/{description.EVENTS}")
        return self._logs[folder]

    def _read_logs(self, jobs: Sequence[Submitted]) -> bool:
        folders = {self._folder(job) for job in jobs}
        for gone in self._logs.keys() - folders:
            del self._logs[gone]
        news = [self._log(folder).read_on() for folder in folders if folder]
        return any(news)

    def _story(self, job: Submitted) -> Story | None:
        folder = self._folder(job)
        if not folder:
            return None
        stories = self._log(folder).stories
        story = stories.get(job.native_id)
        if story is None and stories and _is_factory(_options(job.job)):
            return Story(key=job.key)
        return story

    def _is_idle(self, job: Submitted) -> bool:
        story = self._story(job)
        return story is not None and story.state == "idle"

    def _is_unclear(self, job: Submitted, story: Story, now: float) -> bool:
        if story.state != "evicted" or story.code == seeing.JOB_REMOVED:
            return False
        return now - self._evicted_at.setdefault(job.native_id, now) < _EVICTED_FOR_S

    def _check(
        self,
        silent: Sequence[Submitted],
        alive: Sequence[Submitted],
        now: float,
        *,
        is_urgent: bool,
        is_optional: bool,
    ) -> None:
        """Ask the queue, rarely, whether it has what the log says, and of what the log is silent about.

        Where the log had news, an access point that does not answer is not worth losing them.
        """
        is_due = now - self._checked_at >= self._check_every_s
        if not is_due and not (is_urgent and now - self._doubted_at >= _DOUBT_EVERY_S):
            return
        self._doubted_at = now
        try:
            self._ask_queue([*silent, *alive] if is_due else silent, {job.native_id for job in alive})
        except LockgateError:
            if not is_optional or silent:
                raise
            return
        if is_due:
            self._checked_at = now

    def _ask_queue(self, jobs: Sequence[Submitted], alive: set[str]) -> None:
        for place, those in _by_place(jobs).items():
            wanted = {job.native_id: job for job in those}
            constraint = answers.constraint_of(wanted)
            ads = self._at(place).query(constraint, _ATTRIBUTES, place)
            known = {answers.native_id(ad): ad for ad in ads}
            self._forgotten -= known.keys()
            gone = [native_id for native_id in wanted if native_id not in known]
            if gone and self._read_logs(those):
                gone = [each for each in gone if self._is_alive_still(wanted[each])]
            if gone:
                ended = self._at(place).history(answers.constraint_of(gone), _ATTRIBUTES, len(gone), place)
                known |= {answers.native_id(ad): ad for ad in ended}
                self._forgotten |= alive & set(gone)
            for native_id, ad in known.items():
                if native_id in gone or (native_id in wanted and native_id not in alive):
                    self._told[native_id] = seeing.seen_of_ad(ad, wanted[native_id].job.resources)

    def _is_alive_still(self, job: Submitted) -> bool:
        story = self._story(job)
        is_factory = _is_factory(_options(job.job))
        return story is None or (not story.is_over and not (is_factory and story.starts == 0))

    def _cluster_in_log(self, batch: Batch) -> int | None:
        log = self._log(batch.folder)
        log.read_on()
        for native_id, story in log.stories.items():
            if story.key == batch.key:
                return answers.split_native(native_id)[0]
        return None

    def _find_by_key(self, batches: Sequence[Batch], place: Place) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        counts = {batch.key: len(batch.jobs) for batch in batches}
        at = self._at(place)
        ads = at.query(answers.key_constraint(description.KEY, list(counts)), _ATTRIBUTES, place)
        missing = set(counts) - {str(ad.get(description.KEY)) for ad in ads}
        if missing:
            constraint = answers.key_constraint(description.KEY, sorted(missing))
            ads += at.history(constraint, _ATTRIBUTES, sum(counts[key] for key in missing), place)
        for ad in ads:
            key, cluster = str(ad.get(description.KEY)), ad.get("ClusterId")
            if key in counts and isinstance(cluster, int):
                found[key] = [f"{cluster}.{number}" for number in range(counts[key])]
        return found


def _options(job: Job) -> Options:
    """Return a job's options; those of a job that was cancelled by its folder alone are not known."""
    options = read_options(job.options)
    if isinstance(options, str):
        raise UserError(options, "Correct lockgate.toml.", code="htcondor-refused")
    return options


def _place(options: Options) -> Place:
    return Place(options.pool, options.schedd)


def _by_place(jobs: Sequence[Submitted]) -> dict[Place, list[Submitted]]:
    places: dict[Place, list[Submitted]] = {}
    for job in jobs:
        places.setdefault(_place(_options(job.job)), []).append(job)
    return places


def _is_factory(options: Options) -> bool:
    return options.max_materialize is not None or options.max_idle is not None


def _write_submission(batch: Batch, options: Options, path: str) -> None:
    folder = Path(batch.folder)
    try:
        wrapper = (folder / ledger.WRAPPER).read_text(encoding="utf-8")
        script = description.start_script(batch.folder, wrapper, is_carried=options.transfer)
        start = folder / description.START
        start.write_text(script, encoding="utf-8", errors="surrogateescape")
        start.chmod(0o755)
        if options.transfer:
            for job in batch.jobs:
                Path(job.folder, description.BEGUN).mkdir(exist_ok=True)
        text = description.submit_description(
            batch.key, batch.folder, len(batch.jobs), batch.jobs[0].resources, options
        )
        Path(path).write_text(text, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise OutsideError(
            f"{error.filename or folder} could not be written: {error.strerror}",
            "Make room on that disk, or give it back; the jobs are submitted then.",
            code="job-folder",
            is_transient=True,
        ) from None
