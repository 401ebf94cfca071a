"""A filled index of each earlier form is upgraded: what only it has is kept, the rest is there again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from journals import AT, cell, write_journal
from PIL import Image
from recorded_runs import Recorder, measured
from sqlalchemy import func, inspect, select, text, update

from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.hub.members.values import Member
from lockgate.hub.search import database as database_module
from lockgate.hub.search import tables
from lockgate.hub.search.attempts import Attempts
from lockgate.hub.search.database import Database, open_database
from lockgate.hub.search.feed import feed
from lockgate.hub.search.find import search
from lockgate.hub.search.intake import Intake
from lockgate.hub.search.journal_intake import JournalIntake
from lockgate.hub.search.migrations.steps import names_of_steps
from lockgate.hub.search.runs_table import list_runs
from lockgate.hub.search.sessions import create_session
from lockgate.hub.search.trace import by_content, by_likeness
from lockgate.hub.search.views import View, save_view

BOTH = ("cars", "flights")
TABLE = b"a,b\n1,2\n"


def picture(width: int) -> bytes:
    target = io.BytesIO()
    Image.linear_gradient("L").rotate(30).resize((width, width)).save(target, "PNG")
    return target.getvalue()


@pytest.fixture
def history(recorder: Callable[[str], Recorder], hub: Hub) -> Iterator[None]:
    """Two projects with something for every table, and a run that has not ended."""
    flights, cars = recorder("flights"), recorder("cars")
    flights.run(
        {**measured(accuracy=0.9, note="good"), "t.csv": ("table", TABLE), "p.png": ("figure", picture(200))},
        {"depth": 8, "kind": "größe"},
        logs={"train": "banana\n"},
    )
    flights.run(outcome="failed", cause="train: exit 1", branch="exp", member="bo")
    cars.run(measured(accuracy=0.7), {"depth": 4})
    index = Index(hub.index)
    request = Request(id="R1", project="cars", ref="refs/heads/exp", commit="c" * 40, member="bo")
    index.add_run(request, "queued", 1_000.0)
    yield
    index.close()


def fill(hub: Hub, database: Database) -> None:
    Intake(hub, database).sync()
    create_session(database, Member(name="ada"))
    Attempts(database, "account", 60.0).begin("ada", 1_000.0)
    save_view(database, View(name="Best", project="flights", owner="ada", filter="accuracy > 0.8"))


def counts(database: Database) -> dict[str, int]:
    with database.read() as connection:
        there = inspect(connection).get_table_names()
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables.METADATA.sorted_tables
            if table.name in there and table is not tables.oauth_grants
        }


def kept(database: Database) -> list[list[tuple[Any, ...]]]:
    # What members gave programs: a later step made its table
    there = [table for table in tables.KEPT if table is not tables.oauth_grants]
    with database.read() as connection:
        return [sorted(map(tuple, connection.execute(select(table)))) for table in there]


def answers(database: Database) -> list[object]:
    return [
        list_runs(database, BOTH, sort="run"),
        list_runs(database, BOTH, "accuracy > 0.8 and kind = größe").rows,
        [feed(database, [project]).entries for project in BOTH],
        feed(database, BOTH, text="EXP failed").entries,
        sorted((hit.kind, hit.title) for hit in search(database, BOTH, "banana")),
        sorted((hit.kind, hit.project, hit.title) for hit in search(database, BOTH, "2033 run")),
        by_content(database, BOTH, TABLE),
        by_likeness(database, BOTH, picture(120)),
    ]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("step", names_of_steps()[:-1])
def test_a_filled_one_is_upgraded(
    step: str, hub: Hub, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(database_module, "NEWEST", step)
        before.setattr(JournalIntake, "follow", lambda *_: False)
        old = open_database(hub, url)
        fill(hub, old)
        there, own, said = counts(old), kept(old), answers(old)
        assert all(count for name, count in there.items() if name not in ("journals", "cells")), there
        assert all(said), said
        _make_stale(old, step)
        old.close()
    new = open_database(hub, url)
    assert kept(new) == own
    write_journal(hub, "flights", "ada", "desk", [cell(1, AT)])
    Intake(hub, new).sync()
    assert [entry.title for entry in feed(new, BOTH, kind="cell").entries] == ["1 cell of n.ipynb"]
    git(hub.repository("flights"), "update-ref", "-d", "refs/lockgate/journals/ada/desk")
    Intake(hub, new).sync()
    assert {name: count for name, count in counts(new).items() if name in there} == there
    assert kept(new) == own
    assert answers(new) == said
    with new.read() as connection:
        assert (
            connection.execute(text("select version_num from alembic_version")).scalar()
            == names_of_steps()[-1]
        )
    new.close()


def _make_stale(database: Database, step: str) -> None:
    """Let rows be as their step left them, where today's are otherwise."""
    with database.write() as connection:
        if step < "0003":
            # Pictures were looked at with what is around them
            connection.execute(update(tables.pictures).values(form=0, look=b"\0" * 4))
        if step == "0001":
            # No document was found by the words of a title alone
            connection.execute(update(tables.documents).values(title="", body=""))
