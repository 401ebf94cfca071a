"""The runs table beside MLflow's search, both over the same 10,000 runs of 50 metrics in SQLite."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from measure import BIN, Row, paired_times

#: MLflow without what serves and draws; SQLAlchemy and alembic are what its SQLite store needs.
_PACKAGES = ("mlflow-skinny", "sqlalchemy", "alembic")
_ROUNDS = 30
_BAR = 0.5

Metrics = Callable[[int], dict[str, float]]
#: Asked for runs with one metric above and another below, in order of the first: that of each run found.
Ask = Callable[[float, float], Sequence[float]]


class MlflowMissingError(Exception):
    """It could not be installed, or does not run."""


def beside_mlflow(scratch: Path, run_count: int, metrics_of: Metrics, ask: Ask, is_quick: bool) -> list[Row]:
    """Ask both in turns. Nothing, and it is said, where MLflow cannot be installed."""
    try:
        with _mlflow(scratch, run_count, metrics_of) as (version, ask_mlflow):
            return [_compared(version, run_count, ask_mlflow, ask, 2 if is_quick else _ROUNDS)]
    except MlflowMissingError as error:
        print(f"NOT MEASURED: MLflow: {error}", file=sys.stderr, flush=True)
        return []


def _compared(
    version: str, run_count: int, ask_mlflow: Callable[[str], list[float]], ask: Ask, rounds: int
) -> Row:
    pairs = []
    for number in range(rounds + 1):
        above, below = 0.5 + number % 40 / 100, 0.2 + number % 50 / 100
        took_ms, *theirs = ask_mlflow(f"metrics.m7 > {above} and metrics.m11 < {below}\tmetrics.m7 DESC")
        start = time.perf_counter()
        ours = ask(above, below)
        our_ms = (time.perf_counter() - start) * 1000
        if list(ours) != theirs:
            raise SystemExit(f"bench: MLflow finds {theirs[:3]} …, Lockgate {list(ours)[:3]} …")
        if number:
            pairs.append((took_ms, our_ms))
    what = f"SQLite: {run_count:,} runs, two metrics, sorted, the first 50"
    return paired_times(
        what, f"MLflow {version} `search_runs`, in its process", pairs, _BAR, "ours: of 20 projects"
    )


@contextlib.contextmanager
def _mlflow(
    scratch: Path, run_count: int, metrics_of: Metrics
) -> Iterator[tuple[str, Callable[[str], list[float]]]]:
    """An MLflow in an environment of its own, with these runs."""
    python = _installed(scratch / "mlflow")
    file = scratch / "mlflow.sqlite"
    child = subprocess.Popen(
        [python, Path(__file__).with_name("mlflow_search.py"), file],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(scratch)},
    )  # fmt: skip
    assert child.stdin is not None and child.stdout is not None
    questions, answers = child.stdin, child.stdout

    def ask(question: str) -> list[float]:
        questions.write(question + "\n")
        questions.flush()
        answer = answers.readline()
        if not answer:
            raise MlflowMissingError("it ended without an answer")
        return [float(each) for each in answer.split()]

    try:
        head = answers.readline().split()
        if len(head) != 3:
            raise MlflowMissingError("it does not start")
        start = time.perf_counter()
        _fill(file, head[2], run_count, metrics_of)
        print(f"MLflow: filled in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        yield head[0], ask
    finally:
        questions.close()
        child.wait(60)
        answers.close()


def _installed(place: Path) -> Path:
    uv = shutil.which("uv", path=f"{BIN}:{os.environ['PATH']}") or "uv"
    python = place / "bin" / "python"
    for words in (
        [uv, "venv", "-q", "--python", sys.executable, place],
        [uv, "pip", "install", "-q", "--compile-bytecode", "--python", python, *_PACKAGES],
    ):
        try:
            subprocess.run(words, capture_output=True, text=True, check=True, timeout=600)
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", "") or error).strip().splitlines()
            raise MlflowMissingError(f"not installed: {said[-1]}") from None
    return python


def _fill(file: Path, model: str, run_count: int, metrics_of: Metrics) -> None:
    """Make runs like the one that MLflow made, with metrics of their own: by itself it takes minutes."""
    with contextlib.closing(sqlite3.connect(file, timeout=60)) as connection:
        columns = [row[1] for row in connection.execute("pragma table_info(runs)")]
        (row,) = connection.execute("select * from runs where run_uuid = ?", (model,)).fetchall()
        like = dict(zip(columns, row, strict=True))
        tags = connection.execute("select key, value from tags where run_uuid = ?", (model,)).fetchall()
        for table in ("tags", "metrics", "latest_metrics"):
            connection.execute(f"delete from {table} where run_uuid = ?", (model,))
        connection.execute("delete from runs where run_uuid = ?", (model,))
        for number in range(run_count):
            run = uuid.uuid5(uuid.NAMESPACE_OID, str(number)).hex
            new = like | {"run_uuid": run, "start_time": like["start_time"] + number}
            connection.execute(f"insert into runs values ({', '.join('?' * len(new))})", tuple(new.values()))
            connection.executemany("insert into tags (key, value, run_uuid) values (?, ?, ?)",
                                   [(*tag, run) for tag in tags])  # fmt: skip
            measured = [(key, value, 0, 0, False, run) for key, value in metrics_of(number).items()]
            for table in ("metrics", "latest_metrics"):
                connection.executemany(
                    f"insert into {table} (key, value, timestamp, step, is_nan, run_uuid)"
                    " values (?, ?, ?, ?, ?, ?)",
                    measured,
                )
            connection.execute("insert into params (key, value, run_uuid) values ('depth', ?, ?)",
                               (str(number % 16), run))  # fmt: skip
        connection.execute("analyze")
        connection.commit()
