"""Two services take in at once, on PostgreSQL: neither waits for the other for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import postgresql_service
import pytest
from recorded_runs import Recorder, measured
from sqlalchemy import text

from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request, RunRow
from lockgate.hub.search.database import Database, open_database
from lockgate.hub.search.intake import Intake
from lockgate.hub.search.reading import ReadRun, Value
from lockgate.hub.search.runs_table import list_columns, list_runs
from lockgate.hub.search.writing import mark_of, put_runs

DEADLINE_S = 30.0
_WAITING = text(
    "select count(*) from pg_locks join pg_database on pg_database.oid = pg_locks.database"
    " where datname = current_database() and not granted"
)


@pytest.fixture
def service(hub: Hub, postgresql: postgresql_service.PostgreSQL) -> Iterator[Database]:
    database = open_database(hub, postgresql.new_database())
    yield database
    database.close()


def asked_for(run: str, name: str) -> ReadRun:
    request = Request(id=run, project="flights", ref="refs/heads/main", commit="c", member="ada")
    row = RunRow(
        number=0, request=request, state="queued", created_at=1.0, started_at=None, ended_at=None,
        cause=None, result_commit=None, has_moved_branch=False,
    )  # fmt: skip
    return ReadRun(row=row, values=(Value("param", name, 1.0, None),), is_recorded=False)


def test_new_names_in_another_order(service: Database) -> None:
    failures: list[BaseException] = []
    have_begun = {name: threading.Event() for name in ("first", "second")}

    def is_waiting() -> bool:
        with service.read() as connection:
            return bool(connection.execute(_WAITING).scalar_one())

    def work(mine: str, other: str, names: tuple[str, str]) -> None:
        try:
            with service.take_in() as connection:
                for name in names:
                    project = mark_of(connection, mine).number
                    put_runs(connection, project, [asked_for(f"{mine}-{name}", name)])
                    have_begun[mine].set()
                    # Until both have begun, or one is kept from it
                    ends_at = time.monotonic() + DEADLINE_S
                    while not have_begun[other].is_set() and not is_waiting():
                        assert time.monotonic() < ends_at
                        time.sleep(0.01)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=("first", "second", ("zeta", "alpha"))),
        threading.Thread(target=work, args=("second", "first", ("alpha", "zeta"))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(list_runs(service, ["first", "second"], "zeta = 1 and alpha != 2").rows) == 0
    assert len(list_runs(service, ["first", "second"], "zeta = 1 or alpha = 1").rows) == 4


def test_services_that_follow_the_same_hub_while_it_works(
    recorder: Callable[[str], Recorder], hub: Hub, service: Database
) -> None:
    flights, cars = recorder("flights"), recorder("cars")
    other = open_database(hub, service.url)
    failures: list[BaseException] = []
    is_over = threading.Event()

    def follow(database: Database) -> None:
        intake = Intake(hub, database)
        try:
            while not is_over.is_set():
                intake.sync()
            intake.sync()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=follow, args=(database,)) for database in (service, other)]
    for thread in threads:
        thread.start()
    index = Index(hub.index)
    for number in range(12):
        for project, name in ((cars, "a"), (flights, "b"), (cars, "b"), (flights, "a")):
            index.add_run(
                Request(
                    id=f"{project.project}-{number}{name}", project=project.project, ref="refs/heads/main",
                    commit="c" * 40, member="bo", params={f"{name}{number}": "1", f"{9 - number}": "2"},
                ),
                "queued", float(number),
            )  # fmt: skip
        for project in (flights, cars):
            project.run(
                measured(**{f"a{number}": 1.0, f"b{number}": 2.0}), {f"b{number}": 1, f"a{number}": 2}
            )
    is_over.set()
    for thread in threads:
        thread.join()
    index.close()
    assert not failures
    assert len(list_runs(service, ["flights", "cars"], limit=500).rows) == 12 * 6
    assert {column.name for column in list_columns(service, ["cars"])} >= {"a11", "b11"}
    other.close()
