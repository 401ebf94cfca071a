"""The tables: made by the migrations as declared, upgraded with a copy put aside, errors in words."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from lockgate.errors import OutsideError, UserError
from lockgate.hub.directory import Hub
from lockgate.hub.members.values import Member
from lockgate.hub.search import database as database_module
from lockgate.hub.search.database import NEWEST, Database, open_database
from lockgate.hub.search.migrations.steps import STEPS, names_of_steps
from lockgate.hub.search.sessions import create_session, find_session
from lockgate.hub.search.tables import METADATA

ADA = Member(name="ada")


def test_the_migrations_give_the_declared_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": lambda name, kind, _: is_ours(name, kind)}
        )
        assert compare_metadata(context, METADATA) == []


def is_ours(name: str | None, kind: str) -> bool:
    """FTS5 keeps tables of its own beside the one that is asked."""
    return not (kind == "table" and (name or "").startswith("document_words"))


def test_the_newest_step_is_the_last_one() -> None:
    assert names_of_steps()[-1] == NEWEST
    assert len(STEPS) == len(set(names_of_steps()))


def test_opening_again_changes_nothing(hub: Hub, url: str | None, database: Database) -> None:
    secret, _ = create_session(database, ADA)
    again = open_database(hub, url)
    assert find_session(again, secret) is not None
    again.close()
    assert not list(hub.root.glob("search.sqlite.before*"))


def test_many_open_a_new_one_at_once(hub: Hub, url: str | None) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            open_database(hub, url).close()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_an_older_form_is_upgraded_and_a_copy_kept(
    hub: Hub, url: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = open_database(hub, url)
    secret, _ = create_session(old, ADA)
    old.close()
    steps = tmp_path / "migrations"
    shutil.copytree(Path(STEPS[0]).parents[1], steps)
    (steps / "versions" / "step_later.py").write_text(
        f"revision, down_revision = 'later', '{NEWEST}'\n"
        "def upgrade(): __import__('alembic').op.execute('create table later (number integer)')\n"
    )
    monkeypatch.setattr(database_module, "MIGRATIONS", steps)
    older = NEWEST
    monkeypatch.setattr(database_module, "NEWEST", "later")
    new = open_database(hub, url)
    session = find_session(new, secret)
    assert session is not None and session.member == "ada"
    with new.read() as connection:
        assert connection.execute(text("select version_num from alembic_version")).scalar() == "later"
        assert connection.execute(text("select count(*) from later")).scalar() == 0
    new.close()
    copies = list(hub.root.glob("search.sqlite.before*"))
    if url is not None:
        assert not copies
        return
    (copy,) = copies
    with sqlite3.connect(copy) as connection_:
        assert connection_.execute("select version_num from alembic_version").fetchone() == (older,)
        assert connection_.execute("select count(*) from sessions").fetchone() == (1,)
    connection_.close()


def test_an_index_without_the_words_of_titles_is_built_again(
    hub: Hub, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(database_module, "NEWEST", "0001")
        old = open_database(hub, url)
        secret, _ = create_session(old, ADA)
        with old.write() as connection:
            connection.execute(text("insert into projects (number, name, tip) values (1, 'p', 'abc')"))
        old.close()
    new = open_database(hub, url)
    assert find_session(new, secret) is not None
    with new.read() as connection:
        assert connection.execute(text("select count(*) from projects")).scalar() == 0
    new.close()


def test_a_form_of_a_newer_lockgate_is_refused(hub: Hub, url: str | None, database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(OutsideError) as caught:
        open_database(hub, url)
    assert caught.value.code == "search-format"


def test_a_damaged_file_is_told_of(hub: Hub) -> None:
    (hub.root / "search.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(OutsideError) as caught:
        open_database(hub)
    assert caught.value.code == "search-damaged"
    assert "reindex" in caught.value.hint


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "postgresql://", "sqlite+nothing:///x", "://"])
def test_a_url_that_is_none(hub: Hub, url: str) -> None:
    with pytest.raises((UserError, OutsideError)) as caught:
        open_database(hub, url)
    assert caught.value.code in ("database-url", "search-unavailable")


def test_a_server_that_is_away_is_told_of_without_the_password(hub: Hub) -> None:
    with pytest.raises(OutsideError) as caught:
        open_database(hub, "postgresql://ada:secret@127.0.0.1:9/x?connect_timeout=2")
    assert caught.value.code == "search-unavailable" and caught.value.is_transient
    assert "secret" not in str(caught.value)


def test_the_variable_names_the_database(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", f"sqlite:///{tmp_path}/other.sqlite")
    open_database(hub).close()
    assert (tmp_path / "other.sqlite").exists() and not (hub.root / "search.sqlite").exists()
