"""The hub's index and queue, in SQLite. Everything in it can be made again from git and the job folders.

A run is kept as the events that moved it; the other columns repeat what queries ask for. All writes of one
step are one transaction, durable before the step's effects are performed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from lockgate.data.acceptance import Acceptance
from lockgate.data.certification import Certification
from lockgate.hub.indexing.index_file import in_words, open_index
from lockgate.hub.indexing.rows import JobRow, Request, RowState, RunRow
from lockgate.runs.cost import Cost, cost_of, names_of, remember
from lockgate.runs.observation import Observation
from lockgate.runs.reason import Failure, JobEnd, latest_failures
from lockgate.runs.record import StageRecord
from lockgate.runs.run import Event, JobStatus
from lockgate.verify.report import Verification

_events = msgspec.msgpack.Decoder(Event)
_requests = msgspec.msgpack.Decoder(Request)
_records = msgspec.msgpack.Decoder(StageRecord)
_lines = msgspec.msgpack.Decoder(tuple[str, ...])
_verifications = msgspec.msgpack.Decoder(Verification)
_acceptances = msgspec.msgpack.Decoder(Acceptance)
_certifications = msgspec.msgpack.Decoder(Certification)
_observations = msgspec.msgpack.Decoder(Observation)
_costs = msgspec.msgpack.Decoder(tuple[Cost, ...])
_encode = msgspec.msgpack.Encoder().encode

_RUN = (
    "number, request, state, created_at, started_at, ended_at, cause, result_commit, has_moved_branch,"
    " cancelled_by, receipt"
)
_FINAL = "('succeeded', 'failed', 'cancelled')"


class Index:
    """One connection to the index. Not for sharing between threads.

    Raises `OutsideError`: `index-damaged` (never transient), `index-unavailable`.
    """

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        self.path = path
        self._sql = open_index(path, is_read_only=is_read_only)

    def close(self) -> None:
        self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside durable together or not at all."""
        with self._in_words():
            self._sql.execute("begin immediate")
            try:
                yield
                self._sql.execute("commit")
            except BaseException:
                # A full disk may have ended the transaction already
                if self._sql.in_transaction:
                    self._sql.execute("rollback")
                raise

    def changes_seen(self) -> int:
        """Return a number that differs once another connection has written."""
        with self._in_words():
            found: tuple[int] = self._sql.execute("pragma data_version").fetchone()
            return found[0]

    def check(self) -> str | None:
        """Return what SQLite finds wrong with the file, or None."""
        with self._in_words():
            found: tuple[str] = self._sql.execute("pragma quick_check(1)").fetchone()
            return None if found[0] == "ok" else found[0]

    # Runs

    def add_run(
        self, request: Request, state: RowState, created_at: float, receipt: tuple[str, ...] = ()
    ) -> None:
        """Add a run; one that is there already stays as it is."""
        self._do(
            "insert into runs (id, project, state, request, receipt, created_at) values (?, ?, ?, ?, ?, ?)"
            " on conflict (id) do nothing",
            (request.id, request.project, state, _encode(request), _encode(receipt), created_at),
        )

    def has_run(self, run: str) -> bool:
        return self._one("select 1 from runs where id = ?", (run,)) is not None

    def queue_run(self, run: str) -> bool:
        """Let a received run be worked on; return whether it was one."""
        return self._do("update runs set state = 'queued' where id = ? and state = 'received'", (run,)) == 1

    def drop_received(self, run: str) -> None:
        """Forget a run whose push did not go through."""
        self._do("delete from runs where id = ? and state = 'received'", (run,))

    def set_run(
        self,
        run: str,
        state: RowState,
        *,
        started_at: float | None = None,
        ended_at: float | None = None,
        cause: str | None = None,
        result_commit: str | None = None,
        has_moved_branch: bool = False,
    ) -> None:
        self._do(
            "update runs set state = ?, started_at = coalesce(started_at, ?), ended_at = ?, cause = ?,"
            " result_commit = ?, has_moved_branch = ? where id = ?",
            (state, started_at, ended_at, cause, result_commit, int(has_moved_branch), run),
        )

    def restore_run(self, row: RunRow, jobs: Sequence[JobRow]) -> None:
        """Put an ended run back as it was recorded, under a new number; one that is there stays."""
        self._do(
            "insert into runs (id, project, state, request, receipt, created_at, started_at, ended_at, cause,"
            " result_commit, has_moved_branch, cancelled_by) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict (id) do nothing",
            (
                row.request.id,
                row.request.project,
                row.state,
                _encode(row.request),
                _encode(row.receipt),
                row.created_at,
                row.started_at,
                row.ended_at,
                row.cause,
                row.result_commit,
                int(row.has_moved_branch),
                row.cancelled_by,
            ),
        )
        rows = [
            (
                row.request.id, job.stage, position, job.state, job.reason, job.cause, job.reused_from,
                job.started_at, job.ended_at, job.peak_memory_bytes,
            )
            for position, job in enumerate(jobs)
        ]  # fmt: skip
        with self._in_words():
            self._sql.executemany(
                "insert or replace into jobs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null)", rows
            )

    def request_cancel(self, run: str, by: str) -> bool:
        """Ask the dispatcher to end a run; return False where it has ended already."""
        return self._do("update runs set cancelled_by = ? where id = ? and ended_at is null", (by, run)) == 1

    def has_sibling(self, row: RunRow, within_s: float) -> bool:
        """Return whether another push of the same commit to the same ref was queued at about that time."""
        pushed = {(row.request.ref, row.request.commit)}
        return bool(self.queued_around(row.request.project, pushed, row.created_at, within_s))

    def queued_around(
        self, project: str, pushed: Set[tuple[str, str]], at: float, within_s: float
    ) -> list[RunRow]:
        """Return the runs of these refs and commits that were asked for at about that time and are queued or
        further."""
        where = "where project = ? and state != 'received' and created_at between ? and ? order by number"
        rows = self._runs(where, (project, at - within_s, at + within_s))
        return [row for row in rows if (row.request.ref, row.request.commit) in pushed]

    def take_unswept(self, ended_before: float, limit: int) -> list[tuple[str, str]]:
        """Return (project, run) of runs that ended before this time and mark them as swept."""
        with self._in_words():
            rows = self._sql.execute(
                "update runs set is_swept = 1 where number in (select number from runs"
                " where is_swept = 0 and ended_at < ? order by number limit ?) returning project, id",
                (ended_before, limit),
            ).fetchall()
        return [(row[0], row[1]) for row in rows]

    def unfinished(self) -> list[RunRow]:
        """Return every run not ended, received ones too, oldest first."""
        return self._runs(f"where ended_at is null and state not in {_FINAL} order by number", ())

    def received(self, project: str) -> list[RunRow]:
        """Return the runs of pushes under way, oldest first."""
        return self._runs("where project = ? and state = 'received' order by number", (project,))

    def run(self, run: str) -> RunRow | None:
        found = self._runs("where id = ?", (run,))
        return found[0] if found else None

    def runs(self, project: str | None, limit: int) -> list[RunRow]:
        """Return the newest runs first."""
        if project is None:
            return self._runs("order by number desc limit ?", (limit,))
        return self._runs("where project = ? order by number desc limit ?", (project, limit))

    def passed(self, project: str, stage: str, limit: int) -> list[RunRow]:
        """Return the newest of the runs that went well and in which this stage did, newest first; those that
        verify others are among them."""
        where = (
            "where project = ? and state = 'succeeded' and exists (select 1 from jobs where run = runs.id"
            " and stage = ? and jobs.state in ('succeeded', 'cached')) order by number desc limit ?"
        )
        return self._runs(where, (project, stage, limit))

    def runs_ending_in(self, project: str | None, ending: str) -> list[RunRow]:
        """Return the runs whose id ends so; a whole id matches too."""
        where = "where id like ? and (? is null or project = ?) order by number desc limit 3"
        return self._runs(where, (f"%{ending}", project, project))

    # Jobs and events

    def add_jobs(self, run: str, jobs: Iterable[tuple[str, str]], first: int = 0) -> None:
        """Add planned jobs, as (stage, reason), in order; `first`: how many stand before them."""
        rows = [(run, stage, position, reason) for position, (stage, reason) in enumerate(jobs, first)]
        with self._in_words():
            self._sql.executemany(
                "insert or replace into jobs (run, stage, position, state, reason)"
                " values (?, ?, ?, 'waiting', ?)",
                rows,
            )

    def set_jobs(self, run: str, jobs: Iterable[tuple[str, JobStatus]]) -> None:
        rows = [(job.state, job.cause, job.reused_from, run, stage) for stage, job in jobs]
        with self._in_words():
            self._sql.executemany(
                "update jobs set state = ?, cause = ?, reused_from = ?, waits_for = null"
                " where run = ? and stage = ?",
                rows,
            )

    def set_job_times(
        self,
        run: str,
        stage: str,
        started_at: float | None,
        ended_at: float | None,
        peak_memory_bytes: int | None,
    ) -> None:
        self._do(
            "update jobs set started_at = coalesce(?, started_at), ended_at = ?, peak_memory_bytes = ?"
            " where run = ? and stage = ?",
            (started_at, ended_at, peak_memory_bytes, run, stage),
        )

    def set_waiting(self, run: str, waiting: Iterable[tuple[str, str | None]]) -> None:
        """Keep why jobs are not running yet, or how far running ones have come, as (stage, words); None: it
        is no longer so."""
        with self._in_words():
            self._sql.executemany(
                "update jobs set waits_for = ? where run = ? and stage = ?",
                [(words, run, stage) for stage, words in waiting],
            )

    def set_reason(self, run: str, stage: str, reason: str) -> None:
        self._do("update jobs set reason = ? where run = ? and stage = ?", (reason, run, stage))

    def progress(self, run: str) -> dict[str, str]:
        """Return how far those running jobs have come that say so."""
        with self._in_words():
            rows = self._sql.execute(
                "select stage, waits_for from jobs"
                " where run = ? and state = 'running' and waits_for is not null order by position",
                (run,),
            ).fetchall()
        return dict(rows)

    def jobs(self, run: str) -> list[JobRow]:
        with self._in_words():
            rows = self._sql.execute(
                "select stage, state, reason, cause, reused_from, started_at, ended_at, peak_memory_bytes,"
                " waits_for"
                " from jobs where run = ? order by position",
                (run,),
            ).fetchall()
        return [
            JobRow(
                stage=row[0],
                state=row[1],
                reason=row[2],
                cause=row[3],
                reused_from=row[4],
                started_at=row[5],
                ended_at=row[6],
                peak_memory_bytes=row[7],
                waits_for=row[8] if row[1] != "running" else None,
                progress=row[8] if row[1] == "running" else None,
            )
            for row in rows
        ]

    def latest_failures(self, project: str, runs: int = 50) -> dict[str, Failure]:
        """Return stage → how it failed in one of a project's latest runs, where it did not go well since.

        Runs that verify others do not count.
        """
        newest = [row.request.id for row in self.runs(project, runs) if row.request.proof is None]
        with self._in_words():
            rows = self._sql.execute(
                "select run, stage, state, cause from json_each(?) as asked cross join jobs on run = value"
                " where state in ('failed', 'succeeded') order by asked.key",
                (json.dumps(newest),),
            ).fetchall()
        return latest_failures(JobEnd(*row) for row in rows)

    def add_event(self, run: str, sequence: int, event: Event, at: float) -> None:
        self._do("insert into events values (?, ?, ?, ?)", (run, sequence, at, _encode(event)))

    def events(self, run: str, after: int = -1) -> list[tuple[int, float, Event]]:
        """Return the run's events later than sequence number `after`, as (sequence, at, event)."""
        with self._in_words():
            rows = self._sql.execute(
                "select sequence, at, body from events where run = ? and sequence > ? order by sequence",
                (run, after),
            ).fetchall()
            return [(row[0], row[1], _events.decode(row[2])) for row in rows]

    # Results: the cache

    def add_results(self, project: str, records: Sequence[StageRecord]) -> None:
        """Keep what stages made under their fingerprints; the newest counts."""
        number = time.time_ns()
        rows = [(project, r.fingerprint, r.stage, number, _encode(r)) for r in records]
        with self._in_words():
            self._sql.executemany("insert or replace into results values (?, ?, ?, ?, ?)", rows)
        if records:
            self.add_costs(project, [cost_of(record) for record in records])

    def known(self, project: str, limit: int = 100_000) -> tuple[frozenset[str], frozenset[str]] | None:
        """Return all fingerprints and all stages with a result; None where there are too many to hold."""
        with self._in_words():
            rows = self._sql.execute(
                "select fingerprint, stage from results where project = ? limit ?", (project, limit + 1)
            ).fetchall()
        if len(rows) > limit:
            return None
        return frozenset(row[0] for row in rows), frozenset(row[1] for row in rows)

    def find_result(self, project: str, fingerprint: str) -> StageRecord | None:
        row = self._one(
            "select record from results where project = ? and fingerprint = ?", (project, fingerprint)
        )
        return self._record(row)

    def newest_result(self, project: str, stage: str) -> StageRecord | None:
        row = self._one(
            "select record from results where project = ? and stage = ? order by number desc limit 1",
            (project, stage),
        )
        return self._record(row)

    def results_naming(self, project: str, text: str) -> list[StageRecord]:
        """Return the project's results in which a word stands somewhere; msgpack keeps text as it is."""
        mine = "(project = ?1 or substr(project, 1, length(?1) + 1) = ?1 || '/')"
        question = f"select record from results where {mine} and instr(record, ?2) > 0"
        with self._in_words():
            return [_records.decode(row[0]) for row in self._sql.execute(question, (project, text.encode()))]

    # Verifications

    def add_verification(self, project: str, found: Verification) -> None:
        """Keep what a verification found; told twice, it counts once."""
        self._do(
            "insert or replace into verifications values (?, ?, ?, ?)",
            (project, found.run, found.by_run, _encode(found)),
        )

    def verifications(self, project: str, run: str) -> list[Verification]:
        """Return the verifications of a run, newest first; of one that is itself one, what it found."""
        with self._in_words():
            rows = self._sql.execute(
                "select report from verifications where project = ?1 and (run = ?2 or by_run = ?2)"
                " order by by_run desc",
                (project, run),
            ).fetchall()
            return [_verifications.decode(row[0]) for row in rows]

    def newest_verifications(self, project: str, limit: int) -> list[Verification]:
        """Return the verifications of a project's runs, newest first."""
        with self._in_words():
            rows = self._sql.execute(
                "select report from verifications where project = ? order by by_run desc limit ?",
                (project, limit),
            ).fetchall()
            return [_verifications.decode(row[0]) for row in rows]

    # Certifications

    def add_certification(self, project: str, said: Certification) -> None:
        """Keep what the chain says of a dataset; told twice, it counts once. They are added oldest first."""
        self._do(
            "insert into certifications (project, entry, path, said) values (?, ?, ?, ?)"
            " on conflict (project, entry) do nothing",
            (project, said.entry, said.path, _encode(said)),
        )

    def certifications(self, project: str, path: str | None = None) -> list[Certification]:
        """Return what the chain says of a project's datasets, or of one, newest first."""
        with self._in_words():
            rows = self._sql.execute(
                "select said from certifications where project = ?1 and (?2 is null or path = ?2)"
                " order by number desc",
                (project, path),
            ).fetchall()
            return [_certifications.decode(row[0]) for row in rows]

    def add_acceptance(self, project: str, said: Acceptance) -> None:
        """Keep what the chain says of drift; told twice, it counts once. They are added oldest first."""
        self._do(
            "insert into acceptances (project, entry, path, said) values (?, ?, ?, ?)"
            " on conflict (project, entry) do nothing",
            (project, said.entry, said.path, _encode(said)),
        )

    def acceptances(self, project: str, path: str) -> list[Acceptance]:
        """Return what drift of a table was accepted, newest first."""
        with self._in_words():
            rows = self._sql.execute(
                "select said from acceptances where project = ? and path = ? order by number desc",
                (project, path),
            ).fetchall()
            return [_acceptances.decode(row[0]) for row in rows]

    # Observations

    def add_observations(self, run: str, seen: Mapping[str, Observation]) -> None:
        """Keep what the stages of a run really used."""
        rows = [(run, stage, _encode(each)) for stage, each in seen.items()]
        with self._in_words():
            self._sql.executemany("insert or replace into observations values (?, ?, ?)", rows)

    def observations(self, run: str) -> dict[str, Observation]:
        """Return stage → what its newest attempt in a run really used, as far as that was observed."""
        with self._in_words():
            rows = self._sql.execute("select stage, seen from observations where run = ?", (run,)).fetchall()
            return {row[0]: _observations.decode(row[1]) for row in rows}

    def results(self, project: str) -> Iterator[StageRecord]:
        """Yield every result of a project."""
        with self._in_words():
            for row in self._sql.execute("select record from results where project = ?", (project,)):
                yield _records.decode(row[0])

    def every_result(self) -> Iterator[StageRecord]:
        """Yield the results of all projects, those of verifications too."""
        with self._in_words():
            for row in self._sql.execute("select record from results"):
                yield _records.decode(row[0])

    def add_costs(self, project: str, costs: Sequence[Cost]) -> None:
        """Keep what jobs cost, the latest of each stage and each matrix; one told of twice counts once."""
        kept = remember(self.costs(project, {name for cost in costs for name in names_of(cost.stage)}), costs)
        rows = [(project, name, _encode(recent)) for name, recent in kept.items()]
        with self._in_words():
            self._sql.executemany("insert or replace into costs values (?, ?, ?)", rows)

    def costs(self, project: str, names: Collection[str]) -> dict[str, tuple[Cost, ...]]:
        """Return the latest jobs under these names (see `lockgate.runs.cost`), newest first, in one query."""
        with self._in_words():
            rows = self._sql.execute(
                "select name, recent from json_each(?) cross join costs on name = value where project = ?",
                (json.dumps(list(names)), project),
            ).fetchall()
            return {row[0]: _costs.decode(row[1]) for row in rows}

    def _runs(self, where: str, arguments: tuple[object, ...]) -> list[RunRow]:
        with self._in_words():
            rows = self._sql.execute(f"select {_RUN} from runs {where}", arguments).fetchall()
            return [
                RunRow(
                    number=row[0],
                    request=_requests.decode(row[1]),
                    state=row[2],
                    created_at=row[3],
                    started_at=row[4],
                    ended_at=row[5],
                    cause=row[6],
                    result_commit=row[7],
                    has_moved_branch=bool(row[8]),
                    cancelled_by=row[9],
                    receipt=_lines.decode(row[10]),
                )
                for row in rows
            ]

    def _record(self, row: tuple[bytes, ...] | None) -> StageRecord | None:
        with self._in_words():
            return _records.decode(row[0]) if row else None

    def _do(self, statement: str, arguments: tuple[object, ...]) -> int:
        with self._in_words():
            return self._sql.execute(statement, arguments).rowcount

    def _one(self, statement: str, arguments: tuple[object, ...]) -> tuple[bytes, ...] | None:
        with self._in_words():
            found: tuple[bytes, ...] | None = self._sql.execute(statement, arguments).fetchone()
            return found

    def _in_words(self) -> AbstractContextManager[None]:
        return in_words(self.path)
