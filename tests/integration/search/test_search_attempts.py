"""Guessing is slow, however many services of a hub are asked at once."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.search import attempts as attempts_module
from lockgate.hub.search.attempts import FREE, Attempts, pause_s
from lockgate.hub.search.database import Database, open_database

NOW = 1_000_000.0


def test_a_few_mistakes_are_free_then_each_waits_longer() -> None:
    waits = [pause_s(count, 60.0) for count in range(FREE + 8)]
    assert waits == [0.0] * FREE + [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_one_too_early_is_told_how_long_and_does_not_count(database: Database) -> None:
    attempts = Attempts(database, "account", 60.0)
    for _ in range(FREE):
        attempts.begin("ada", NOW)
    for at, wait in ((0.0, 1), (1.0, 0), (1.5, 2), (2.0, 1), (3.0, 0), (3.0, 4)):
        if wait == 0:
            attempts.begin("ada", NOW + at)
            continue
        with pytest.raises(UserError, match=f"wait {wait} s") as caught:
            attempts.begin("ada", NOW + at)
        assert caught.value.code == "too-many-attempts"
    attempts.begin("bob", NOW + 3.0)
    Attempts(database, "address", 60.0).begin("ada", NOW + 3.0)
    attempts.begin("ada", NOW + 1000.0)
    attempts.begin("ada", NOW + 1000.0)


def test_the_right_one_counts_everything_back(database: Database) -> None:
    attempts = Attempts(database, "account", 60.0)
    for _ in range(2):
        for _ in range(FREE):
            attempts.begin("ada", NOW)
        attempts.succeeded("ada")
    attempts.begin("ada", NOW)


def test_two_services_count_together(hub: Hub, url: str | None, database: Database) -> None:
    other = open_database(hub, url)
    begun: list[int] = []

    def guess(opened: Database, number: int) -> None:
        attempts = Attempts(opened, "account", 60.0)
        for _ in range(FREE):
            try:
                attempts.begin("ada", NOW)
                begun.append(number)
            except UserError as error:
                assert error.code == "too-many-attempts"

    threads = [
        threading.Thread(target=guess, args=(each, number))
        for number in range(4)
        for each in (database, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert len(begun) == FREE


def test_what_is_kept_is_bounded_and_tells_no_name(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts_module, "MOST", 10)
    attempts = Attempts(database, "account", 60.0)
    for number in range(20):
        attempts.begin(f"somebody {number} \udcff", NOW + number)
    with database.read() as connection:
        rows = connection.execute(text("select * from attempts")).all()
    assert len(rows) == 11
    assert "somebody" not in str(rows)
    attempts.begin("later", NOW + 10_000)
    with database.read() as connection:
        assert connection.execute(text("select count(*) from attempts")).scalar() == 1
