"""Tables checked by real Spark: the verdict, the rows and the report are those of polars."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from e2e_place import LINGER_S, Place
from spark_cluster import Cluster, spark_cluster

__all__ = ["spark_cluster"]
pytestmark = [pytest.mark.batch, pytest.mark.timeout(600)]

CHECKS = """
[stages.use]
run = "echo used > used"
needs = ["flights.parquet/"]
makes = ["used"]

[checks."flights.parquet".columns]
id = { type = "integer", max = 3 }
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spark_cluster: Cluster) -> Iterator[Place]:
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    made = Place(tmp_path)
    yield made
    made.close()
    spark_cluster.until_idle()


def flights(rows: int, first: int) -> pl.DataFrame:
    numbers = range(rows)
    return pl.DataFrame(
        {
            "id": [first + n for n in numbers],
            "x": [None if n == 7 else float("nan") if n == 8 else 1e7 * n for n in numbers],
            "w": ["ab" if n % 2 else "c\nd" for n in numbers],
            "d": [date(2020, 1, 1 + n % 28) for n in numbers],
            "m": [datetime.fromisoformat("2020-01-01") + timedelta(minutes=n % 60) for n in numbers],
            "b`q": [n % 2 == 0 for n in numbers],
        }
    )


def rules(place: Path) -> dict[str, Any]:
    return {
        "columns": {
            "id": {
                "type": "integer",
                "unique": True,
                "max": 100,
                "references": {"file": str(place / "ref.csv"), "column": "k"},
            },
            "x": {"type": "number", "min": 1e7, "max": 2e8, "drift": 0.1},
            "w": {"type": "text", "pattern": "[a-z]+", "drift": 0.1},
            "d": {
                "type": "date",
                "min": "2020-01-03",
                "references": {"file": str(place / "ref.parquet"), "column": "d"},
            },
            "m": {"type": "datetime", "max": "2020-01-01T00:40:00"},
            "b`q": {"values": [True]},
            "year": {"type": "integer", "values": [2013]},
            "gone": {},
        },
        "unique": [["w", "d"]],
        "rows_max": 20,
    }


def checked(cluster: Cluster, how: str, place: Path, table: Path, accepted: Path) -> tuple[int, str, str]:
    """Return the exit code, what was said, and the report."""
    report = place / f"{how}.json"
    libraries = sorted(map(str, Path(cluster.home, "python/lib").glob("*.zip")))
    done = subprocess.run(
        [sys.executable, "-m", "lockgate.data.checking", how, table, place / "rules.json", report, accepted],
        env=os.environ
        | {
            "MASTER": "local[2]",
            "SPARK_HOME": cluster.home,
            "SPARK_CONF_DIR": str(cluster.folder / "conf"),
            "PYTHONPATH": ":".join(libraries),
            "TZ": "UTC",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout or done.stderr, report.read_text() if report.exists() else ""


def test_every_rule_names_the_rows_that_polars_names(tmp_path: Path, spark_cluster: Cluster) -> None:
    table = tmp_path / "a b[1]%20ü.parquet"
    for year, first, name in ((2013, 0, "part-1"), (2014, 45, "part-0")):
        (table / f"year={year}").mkdir(parents=True)
        flights(50, first).write_parquet(table / f"year={year}" / f"{name}.parquet")
    (table / "_SUCCESS").touch()
    (tmp_path / "ref.csv").write_text("k\n" + "".join(f"{n}\n" for n in range(40)))
    flights(20, 0).write_parquet(tmp_path / "ref.parquet")
    (tmp_path / "rules.json").write_text(json.dumps(rules(tmp_path)))
    accepted = tmp_path / "accepted.json"
    ones = {"kind": "number", "sampled": 100, "missing": 0.0, "edges": [1.0], "shares": [0.5, 0.5]}
    accepted.write_text(json.dumps({"profiles": {"x": ones}}))
    here = checked(spark_cluster, "check", tmp_path, table, accepted)
    there = checked(spark_cluster, "check-by-spark", tmp_path, table, accepted)
    assert there == here
    assert here[0] == 1
    report = json.loads(here[2])
    assert len(report["failures"]) == 15
    assert report["drift"]["x"] > 0.1 and set(report["profiles"]) == {"x", "w"}

    good = {"columns": {"id": {"type": "integer"}}}
    (tmp_path / "rules.json").write_text(json.dumps(good))
    assert checked(spark_cluster, "check-by-spark", tmp_path, table, accepted)[:2] == (
        0,
        f"{table}: 100 rows, 7 columns; 4 rules hold\n",
    )
    broken = table / "year=2014" / "part-0.parquet"
    broken.write_bytes(broken.read_bytes()[:-50])
    code, said, _ = checked(spark_cluster, "check-by-spark", tmp_path, table, accepted)
    assert code == 1 and "cannot be read" in said


def test_a_check_goes_to_the_master_and_stops_what_needs_the_table(
    place: Place, spark_cluster: Cluster
) -> None:
    options = spark_cluster.options()
    conf = options.pop("conf")
    assert isinstance(conf, dict)
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    lines += [
        "[batch.spark.conf]",
        *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in conf.items()),
    ]
    said = '[batch]\nbackend = "spark"\n[batch.spark]\n' + "\n".join(lines) + "\n" + CHECKS
    tree = place.project({"lockgate.toml": said})
    (tree.path / "flights.parquet").mkdir()
    for at in range(2):
        pl.DataFrame({"id": [at * 2, at * 2 + 3]}).write_parquet(
            tree.path / f"flights.parquet/part-{at}.parquet"
        )
    tree.git("add", ".")
    tree.git("commit", "-q", "-m", "Flights")
    tree.lockgate("run", "--detach")
    place.settle(deadline_s=300)
    jobs = place.jobs(place.runs()[-1].request.id)
    check = jobs["check@flights.parquet"]
    assert check.cause == "column id: row 4: 5 is above 3"
    assert jobs["use"].state == "blocked"
    tree.write({"lockgate.toml": said.replace("max = 3", "max = 5")})
    tree.lockgate("run", "--detach")
    place.settle(deadline_s=300)
    assert set(place.states(place.runs()[-1].request.id).values()) == {"succeeded"}
