"""A real PostgreSQL for tests and benchmarks, by postgresql.sh."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("postgresql.sh")


class PostgreSQL:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._count = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        import psycopg

        self._count += 1
        name = f"lockgate_{os.getpid()}_{self._count}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
        return self.url(name)


def missing() -> str:
    """Return the programs that are not installed; empty: all are there."""
    done = subprocess.run([_SCRIPT, "missing"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


@contextlib.contextmanager
def for_tests() -> Iterator[PostgreSQL]:
    """Start one for tests, which are skipped where its programs are not there."""
    if lacking := missing():
        pytest.skip(f"NOT TESTED: PostgreSQL: not installed: {lacking}")
    with running() as service:
        yield service


@contextlib.contextmanager
def running(options: str = "") -> Iterator[PostgreSQL]:
    """Start one, with these options of the server; it is stopped in the end."""
    with tempfile.TemporaryDirectory(prefix="lockgate-postgresql-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        try:
            yield PostgreSQL(int(_run("start", name, options)))
        finally:
            _run("stop", name)


def _run(verb: str, folder: str, options: str = "") -> str:
    done = subprocess.run(
        [_SCRIPT, verb, folder],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ) | {"POSTGRESQL_OPTIONS": options},
    )
    assert done.returncode == 0, f"postgresql.sh {verb}:\n{done.stderr}"
    return done.stdout.strip().splitlines()[-1] if verb == "start" else ""
