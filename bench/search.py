"""The search index at the size of a large team's hub: what its pages ask for, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.search.cells import cells_of
from lockgate.hub.search.database import Database, open_database
from lockgate.hub.search.document import Document, day_words, words_in
from lockgate.hub.search.feed import feed
from lockgate.hub.search.find import search
from lockgate.hub.search.home import home
from lockgate.hub.search.intake import Intake
from lockgate.hub.search.runs_table import list_runs
from lockgate.hub.search.sheet import Sheet, pack
from lockgate.hub.search.words import in_title, kept_words, stored, tsvector, words_of
from measure import Row
from mlflow_runs import beside_mlflow

#: Of a hub: 20 projects, 100,000 runs of 50 metrics, 1,000,000 activities.
PROJECTS, RUNS, METRICS, ACTIVITIES = 20, 100_000, 50, 1_000_000
#: Of its cells as many, a thousand to a sitting.
CELLS, TOGETHER = 200_000, 1_000
#: As many as MLflow is asked about beside.
MLFLOW_RUNS = 10_000
EVERY = [f"p{number}" for number in range(PROJECTS)]
_WORDS = [
    f"{a}{b}"
    for a in ("gra", "for", "ban", "mod", "tre", "dat", "val", "nor")
    for b in ("dient", "est", "ana", "el")
]
_STATES = ("succeeded", "succeeded", "succeeded", "failed", "cancelled")
_AT = 1_780_000_000.0
#: Tables filled in the transaction that emptied them need no log of their rows.
_OPTIONS = "-c shared_buffers=512MB -c max_wal_size=8GB -c wal_level=minimal -c max_wal_senders=0"
_PAGE_MS, _ASK_MS = 50, 100


def search_index(scratch: Path, quick: bool) -> list[Row]:
    """The rows of both databases; PostgreSQL's are left out, and it is said, where it is not installed."""
    size = 100 if quick else 1
    rows = _measured("SQLite", scratch, None, size)
    rows += _beside_mlflow(scratch, quick)
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "services"))
    import postgresql_service

    if lacking := postgresql_service.missing():
        print(f"NOT MEASURED: PostgreSQL: not installed: {lacking}", file=sys.stderr)
        return rows
    with postgresql_service.running(_OPTIONS) as service:
        rows += _measured("PostgreSQL", scratch, service.new_database(), size)
    return rows


def _measured(name: str, scratch: Path, url: str | None, size: int) -> list[Row]:
    hub, _ = create_hub(scratch / f"hub-{name}")
    database = open_database(hub, url)
    start = time.perf_counter()
    fill(database, RUNS // size, ACTIVITIES // size)
    os.sync()  # no question waits for the disk to take what was loaded
    # Nor for Python to look through what the loading remembered; a hub has no such heap
    _known_title.cache_clear()
    _known_words.cache_clear()
    gc.collect()
    print(f"{name}: filled in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    rows = [_p95(f"{name}: {what}", call, bar) for what, call, bar in questions(database)]
    rows.append(_idle(name, hub, database))
    database.close()
    return rows


def _beside_mlflow(scratch: Path, quick: bool) -> list[Row]:
    count = MLFLOW_RUNS // (100 if quick else 1)
    hub, _ = create_hub(scratch / "hub-beside")
    database = open_database(hub)
    fill(database, count, 1_000)

    def metrics_of(run: int) -> dict[str, float]:
        return {f"m{name}": _value(run + 1, name + 1) for name in range(METRICS)}

    def ask(above: float, below: float) -> list[float]:
        page = list_runs(database, EVERY, f"m7 > {above} and m11 < {below}", "-m7")
        return [float(row.metrics[_metric(7)]) for row in page.rows]

    rows = beside_mlflow(scratch, count, metrics_of, ask, quick)
    database.close()
    return rows


def questions(database: Database) -> list[tuple[str, Callable[[int], object], float]]:
    """What the pages ask for; each call gets a number, so that no two ask for the same."""

    def one(number: int) -> list[str]:
        return [EVERY[number % PROJECTS]]

    def page(number: int) -> str:
        return f"{_AT + (number * 7919 % ACTIVITIES):.1f}:{1 << 60}"

    def two(number: int) -> str:
        return f"m7 > {0.5 + number % 40 / 100} and m11 < {0.2 + number % 50 / 100}"

    return [
        ("home, 20 projects", lambda n: home(database, EVERY, f"member{n % 30}"), _PAGE_MS),
        ("feed, first page, 20 projects", lambda n: feed(database, EVERY), _PAGE_MS),
        ("feed, any page, one project", lambda n: feed(database, one(n), before=page(n)), _PAGE_MS),
        ("feed of a member", lambda n: feed(database, EVERY, by=f"member{n % 30}"), _PAGE_MS),
        ("feed, words of titles in 20 projects, few fit",
         lambda n: feed(database, EVERY, text=f"{_WORDS[n % 31]} run{n * 37 % 5000}"), _ASK_MS),
        ("feed, words of titles in 20 projects, many fit",
         lambda n: feed(database, EVERY, text=f"{_WORDS[n % 31]} {_WORDS[n * 5 % 32]}"), _ASK_MS),
        ("feed, words of titles in 20 projects, none fits",
         lambda n: feed(database, EVERY, text=f"{_WORDS[n % 31]} nobody{n}"), _ASK_MS),
        ("feed, a word of every title, any page",
         lambda n: feed(database, EVERY, text="succ", before=page(n)), _ASK_MS),
        ("runs table, first page", lambda n: list_runs(database, one(n)), _PAGE_MS),
        ("runs table, 20 projects", lambda n: list_runs(database, EVERY), _PAGE_MS),
        ("runs table, two metrics, sorted by one",
         lambda n: list_runs(database, one(n), two(n), "-m7"), _ASK_MS),
        ("the same in all 20 projects", lambda n: list_runs(database, EVERY, two(n), "-m7"), _ASK_MS),
        ("runs table, two metrics, few fit",
         lambda n: list_runs(database, one(n), f"m3 > 0.999 and m4 < 0.{n % 9}1"), _ASK_MS),
        ("runs table, two metrics, none fits",
         lambda n: list_runs(database, one(n), f"m3 > 0.5 and m4 > {2 + n}"), _ASK_MS),
        ("runs table, a member's in 20 projects, sorted by a metric",
         lambda n: list_runs(database, EVERY, f"member = member{n % 30}", "-m7"), _ASK_MS),
        ("runs table, either of two metrics in 20 projects, sorted by another",
         lambda n: list_runs(database, EVERY, f"m3 > 0.999 or m4 < 0.00{n % 9}1", "-m7"), _ASK_MS),
        ("runs table, parameter and state",
         lambda n: list_runs(database, one(n), f"depth = {n % 16} and state = failed"), _ASK_MS),
        ("cells of a long sitting, any page",
         lambda n: cells_of(database, "p0", f"{n * 7919 % min(CELLS, TOGETHER):040x}"), _PAGE_MS),
        ("search, two words",
         lambda n: search(database, EVERY, f"{_WORDS[n % 32]} run{n * 37 % 5000}"), _ASK_MS),
        ("search, a common word", lambda n: search(database, EVERY, _WORDS[n % 32]), _ASK_MS),
        ("search, a word of every document", lambda n: search(database, EVERY, "succeeded"), _ASK_MS),
        ("search, in one project",
         lambda n: search(database, one(n), f"{_WORDS[n % 32]} {_WORDS[n * 5 % 32]}"), _ASK_MS),
        ("search, a word begun", lambda n: search(database, one(n), f"run{n % 90}"), _ASK_MS),
    ]  # fmt: skip


def _p95(what: str, call: Callable[[int], object], bar_ms: float, rounds: int = 40) -> Row:
    call(0)
    took = []
    for number in range(1, rounds + 1):
        start = time.perf_counter()
        call(number)
        took.append((time.perf_counter() - start) * 1000)
    p95 = statistics.quantiles(took, n=20)[18]
    print(f"  {what}: {p95:.1f} ms", file=sys.stderr, flush=True)
    return Row(
        what,
        "—",
        None,
        p95,
        None,
        f"≤ {bar_ms:g} ms",
        p95 <= bar_ms,
        f"p95; median {statistics.median(took):.1f}",
    )


def _idle(name: str, hub: Hub, database: Database) -> Row:
    """A hub of 20 projects that have nothing new."""
    for number in range(PROJECTS):
        (hub.repositories / f"p{number}.git").mkdir(exist_ok=True)
    intake = Intake(hub, database)
    for number in range(PROJECTS):
        intake._tips[f"p{number}"] = None
    intake._has_looked_for_gone = True
    return _p95(f"{name}: a sync with nothing new", lambda n: intake.sync(), 1.0, 200)


def fill(database: Database, run_count: int, activity_count: int) -> None:
    """Write an index of this size, straight into its tables; the same every time."""
    details = _details()
    with _loading(database) as load:
        load("projects", ("number", "name"), ((n + 1, f"p{n}") for n in range(PROJECTS)))
        load("names", ("number", "kind", "name"), _names())
        load(
            "project_names",
            ("project", "name"),
            ((p + 1, n + 1) for p in range(PROJECTS) for n in range(METRICS + 1)),
        )
        load(
            "runs",
            ("number", "project", "id", "state", "ref", "branch", "commit", "member", "created_at",
             "started_at", "ended_at", "seconds", "cause",
             "result_commit", "has_moved_branch", "is_recorded"),
            (_run(n) for n in range(run_count)),
        )  # fmt: skip
        load.run("run_values", _VALUES)
        load("run_sheets", ("run", "sheet"), ((n + 1, _sheet(n)) for n in range(run_count)))
        load(
            "activities",
            ("number", "project", "entry", "kind", "at", "by", "title", "ref", "commit", "run", "detail"),
            (_activity(n, details[n % len(details)]) for n in range(activity_count)),
        )
        load(
            "documents",
            ("number", "project", "kind", "key", "at", "by", "title", "body", "run", "path", "commit"),
            (_document(n) for n in range(activity_count)),
        )
        load.words(activity_count)
        load("journals", ("number", "project", "ref"), iter([(1, 1, "refs/lockgate/journals/ada/desk")]))
        load(
            "cells",
            ("number", "project", "journal", "sitting", "entry", "at", "line"),
            (_cell(n) for n in range(min(CELLS, activity_count))),
        )


def _names() -> Iterator[tuple[object, ...]]:
    yield from ((name + 1, "metric", _metric(name)) for name in range(METRICS))
    yield METRICS + 1, "param", "depth"


def _metric(number: int) -> str:
    return f"out/metrics.json:m{number}"


def _run(number: int) -> tuple[object, ...]:
    at, seconds = _AT + number * 10, 5.0 + number % 600
    state = _STATES[number * 7 % 5]
    return (
        number + 1, number % PROJECTS + 1, f"01{number:024d}", state, "refs/heads/main",
        f"branch{number % 11}", f"{number:040x}", f"member{number % 30}", at, at, at + seconds, seconds,
        "train: exit 1" if state == "failed" else None, f"{number:040x}", False, True,
    )  # fmt: skip


#: Numbers that look like thrown dice, the same in SQL and in Python (`_value`).
_VALUES = f"""
insert into run_values (run, name, place, project, value)
select runs.number, names.number, 0, runs.project,
  case when names.kind = 'param' then ((runs.number - 1) / {PROJECTS}) % 16
  else ((runs.number * (7919 + names.number * 104729) * 48271) % 2147483647) / 2147483647.0 end
from runs cross join names order by runs.number, names.number
"""


def _value(run: int, name: int) -> float:
    return run * (7919 + name * 104729) * 48271 % 2147483647 / 2147483647


def _sheet(number: int) -> bytes:
    metrics: dict[str, float | str] = {_metric(name): _value(number + 1, name + 1) for name in range(METRICS)}
    return pack(Sheet({"depth": float(number // PROJECTS % 16)}, metrics))


def _details() -> list[bytes]:
    return [
        json.dumps(
            {"outcome": "succeeded", "metrics": {_metric(n): (n + shift) / 10 for n in range(6)},
             "changes": [{"status": "M", "path": "train.py"}], "logs": ["logs/0000-train.txt"]}
        ).encode()
        for shift in range(6)
    ] + [
        json.dumps(
            {"sitting": {"count": 1000, "began_at": _AT, "device": "desk", "notebook": "a.ipynb",
             "newest": [json.loads(_line(n)) for n in range(3)]}}
        ).encode()
    ]  # fmt: skip


def _cell(number: int) -> tuple[object, ...]:
    sitting = number // TOGETHER * PROJECTS + 1
    return number + 1, 1, 1, sitting, f"{number:040x}", _AT + number, _line(number)


def _line(number: int) -> bytes:
    return json.dumps(
        {"entry": f"{number:040x}", "at": _AT + number, "title": f"step({number})", "count": number,
         "status": "ok", "seconds": 0.1, "code": f"step({number})\n" * 12, "commit": f"{number:040x}"}
    ).encode()  # fmt: skip


def _activity(number: int, detail: bytes) -> tuple[object, ...]:
    return (
        number + 1, number % PROJECTS + 1, f"{number:040x}", "run.finished" if number % 2 else "run.queued",
        _AT + number, f"member{number % 30}", _title(number), f"refs/heads/branch{number % 11}",
        f"{number:040x}", f"01{number // 2:024d}", detail,
    )  # fmt: skip


def _title(number: int) -> str:
    return f"Run run{number % 5000} of {_WORDS[number % 31]} {_WORDS[number // 31 % 32]} succeeded"


def _document(number: int) -> tuple[object, ...]:
    each = _as_document(number)
    return (number + 1, number % PROJECTS + 1, each.kind, each.key, each.at, each.by, each.title, each.body,
            each.run, each.path, each.commit)  # fmt: skip


def _as_document(number: int) -> Document:
    return Document(
        kind="activity", key=f"{number:040x}", at=_AT + number, by=f"member{number % 30}",
        title=_title(number), run=f"01{number // 2:024d}", path=None, commit=f"{number:040x}",
    )  # fmt: skip


class _Loader:
    """Writes rows by the quickest way a database has."""

    def __init__(self, database: Database, connection: Any) -> None:
        self._is_sqlite = database.is_sqlite
        self._connection = connection

    def __call__(self, table: str, columns: Sequence[str], rows: Iterator[tuple[object, ...]]) -> None:
        start = time.perf_counter()
        listed = ", ".join(f'"{column}"' for column in columns)
        if self._is_sqlite:
            marks = ", ".join("?" * len(columns))
            self._connection.executemany(f"insert into {table} ({listed}) values ({marks})", rows)
        else:
            self._connection.execute(f"truncate {table}")
            with self._connection.cursor().copy(f"copy {table} ({listed}) from stdin") as copy:
                for row in rows:
                    copy.write_row(row)
        print(f"  {table}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)

    def run(self, table: str, question: str) -> None:
        start = time.perf_counter()
        if not self._is_sqlite:
            self._connection.execute(f"truncate {table}")
        self._connection.execute(question)
        print(f"  {table}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)

    def words(self, count: int) -> None:
        if self._is_sqlite:
            # As much is gathered in memory before it is written: less to merge
            self._connection.execute(
                "insert into document_words (document_words, rank) values ('hashsize', 268435456)"
            )
            rows: Iterator[tuple[object, ...]] = ((n + 1, " ".join(_kept(n))) for n in range(count))
            self("document_words", ("rowid", "words"), rows)
        else:
            self(
                "document_words",
                ("number", "words"),
                ((n + 1, tsvector(_kept(n))) for n in range(count)),
            )


def _kept(number: int) -> list[str]:
    """The words of a document as `words_in` gives them; those of title and day are taken apart once."""
    each = _as_document(number)
    found = [*_known_title(each.title), *_known_words(day_words(each.at)), each.by, each.run or "", each.key]
    if number % 10_000 == 0:
        assert set(found) == {stored(word) for word in words_in(each)}
    return kept_words(number + 1, number % PROJECTS + 1, found)


@functools.lru_cache(maxsize=400_000)
def _known_words(text: str) -> list[str]:
    return [stored(word) for word in words_of([text])]


@functools.lru_cache(maxsize=400_000)
def _known_title(title: str) -> list[str]:
    return [*_known_words(title), *(stored(in_title(word)) for word in words_of([title]))]


@contextlib.contextmanager
def _loading(database: Database) -> Iterator[_Loader]:
    """Indexes are made after the rows where that is quicker, and statistics in the end."""
    raw = database.engine.raw_connection()
    connection: Any = raw.driver_connection
    if database.is_sqlite:
        indexes = connection.execute(
            "select name, sql from sqlite_master where type = 'index' and sql is not null"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f'drop index "{name}"')
        connection.execute("pragma synchronous = off")
        connection.execute("begin immediate")
        yield _Loader(database, connection)
        connection.execute("commit")
        for _, sql in indexes:
            connection.execute(sql)
        connection.execute("analyze")
    else:
        indexes = connection.execute(
            "select indexname, indexdef from pg_indexes"
            " where schemaname = 'public' and indexdef not like '%UNIQUE%'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f'drop index "{name}"')
        yield _Loader(database, connection)
        connection.execute("set maintenance_work_mem = '1GB'")
        for _, sql in indexes:
            connection.execute(sql)
        connection.commit()
        connection.autocommit = True
        connection.execute("vacuum analyze")
        # What was loaded is on the disk before the first question, and not written out beside it
        connection.execute("checkpoint")
        connection.autocommit = False
    # No question is asked on it: FTS5 would look through its memory of words, large and empty now, for each
    raw.invalidate()
