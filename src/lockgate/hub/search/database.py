"""The database of the search index: SQLite beside the hub's other files, or PostgreSQL by URL."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from lockgate.errors import OutsideError, UserError

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from lockgate.hub.directory import Hub
    from lockgate.hub.search.known import ProjectNames

#: The newest step in `migrations/versions`.
NEWEST = "0006"
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 60_000
URL_VARIABLE = "LOCKGATE_DATABASE_URL"
#: Two services that start at once upgrade one after the other: a number of PostgreSQL's advisory locks.
_UPGRADE_LOCK = 0x10C6A7E
_ONE_INTAKE = text(f"select pg_advisory_xact_lock({_UPGRADE_LOCK + 1})")


class Database:
    """The search index, open, for threads to share: each `read` or `write` is a connection of its own.

    Raises `OutsideError` (`search-unavailable`, transient) where the database does not answer.
    """

    def __init__(self, engine: Engine, url: str, file: Path | None) -> None:
        self.engine = engine
        # SQLite's readers see one state as they are
        self._readers = (
            engine if file is not None else engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self.url = url
        """Without a password."""
        self.file = file
        """Where it lies, for SQLite."""
        self.names: dict[int, ProjectNames] = {}
        """What was read of projects' parameters and metrics; see `load_known`."""

    @property
    def is_sqlite(self) -> bool:
        return self.file is not None

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the index."""
        with _in_words(self.url), self._readers.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: everything inside is kept together, or nothing is."""
        with (
            _in_words(self.url),
            self.engine.connect().execution_options(is_writer=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextlib.contextmanager
    def take_in(self) -> Iterator[Connection]:
        """A transaction that puts projects' rows in or takes them out: there is one at a time.

        SQLite has one writer anyway. On PostgreSQL two that bring the same new names, or touch the same
        projects in another order, would wait for each other for ever.
        """
        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(_ONE_INTAKE)
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def open_database(hub: Hub, url: str | None = None) -> Database:
    """Open a hub's search index, made or brought to this version's form first.

    Without a URL it is `$LOCKGATE_DATABASE_URL`, else `search.sqlite` in the hub's directory. Before an older
    SQLite file is changed, a copy is put beside it. Raises `UserError` (`database-url`), `OutsideError`
    (`search-unavailable`, `search-format`, `search-damaged`).
    """
    asked = url or os.environ.get(URL_VARIABLE) or f"sqlite:///{hub.root / 'search.sqlite'}"
    try:
        place = make_url(asked)
        if place.drivername in ("postgresql", "postgres"):
            place = place.set(drivername="postgresql+psycopg")
        if place.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError(f"{place.get_backend_name()} is neither")
        shown = place.render_as_string(hide_password=True)
        engine = create_engine(
            place, pool_size=10, max_overflow=30, pool_pre_ping=place.drivername != "sqlite"
        )
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise UserError(
            f"the database's URL cannot be used: {error}",
            "Write it as postgresql://USER@HOST/NAME, or sqlite:////PATH; none: search.sqlite in the hub.",
            code="database-url",
        ) from None
    except ImportError as error:
        raise UserError(
            f"the database {place.get_backend_name()} needs a package that is not installed: {error.name}",
            'Install it beside Lockgate: pip install "lockgate[postgresql]"',
            code="database-url",
        ) from None
    file = (
        Path(place.database).absolute() if place.get_backend_name() == "sqlite" and place.database else None
    )
    if file is not None:
        _speak_sqlite(engine)
    else:
        _speak_postgresql(engine)
    database = Database(engine, shown, file)
    try:
        with _in_words(shown):
            _upgrade(database, hub)
    except BaseException:
        engine.dispose()
        raise
    return database


def _speak_sqlite(engine: Engine) -> None:
    """Let SQLAlchemy begin transactions, and those that write with the lock they will need."""

    def connected(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = wal",
            "synchronous = normal",
            "cache_size = -65536",
            "mmap_size = 1073741824",
        ):
            cursor.execute(f"pragma {pragma}")
        cursor.close()

    def begun(connection: Connection) -> None:
        is_writer = connection.get_execution_options().get("is_writer", False)
        connection.exec_driver_sql("begin immediate" if is_writer else "begin")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def _speak_postgresql(engine: Engine) -> None:
    """Compiling a question takes longer than any of them, which are thought dearer than they are."""

    def connected(connection: DBAPIConnection, _: object) -> None:
        connection.execute("set jit = off")
        connection.commit()

    event.listen(engine, "connect", connected)


def _upgrade(database: Database, hub: Hub) -> None:
    """Bring the tables to this version's form; nothing but one question where they are."""
    if database.file is not None:
        database.file.parent.mkdir(parents=True, exist_ok=True)
        if _revision(database) == NEWEST:
            return
        with (hub.root / "search.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = _revision(database)
            if found not in (None, NEWEST):
                _back_up(database.file, found)
            _run_migrations(database, found)
    elif _revision(database) != NEWEST:
        with database.engine.connect() as connection:
            connection.execute(text(f"select pg_advisory_lock({_UPGRADE_LOCK})"))
            connection.commit()
            try:
                _run_migrations(database, _revision(database))
            finally:
                connection.execute(text(f"select pg_advisory_unlock({_UPGRADE_LOCK})"))
                connection.commit()


def _revision(database: Database) -> str | None:
    """Return the step the tables are at; None: there are none."""
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("select version_num from alembic_version")).scalar()
        return str(found) if found is not None else None


def _run_migrations(database: Database, found: str | None) -> None:
    if found == NEWEST:
        return
    from alembic import command  # noqa: PLC0415  (150 ms, only when there is something to do)
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.engine.connect().execution_options(is_writer=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, NEWEST)
        except CommandError as error:
            raise OutsideError(
                f"the search index {database.url} is in form {found}, unknown to this Lockgate: {error}",
                "Use the Lockgate that wrote it or a newer one, or move it away: it is built again from git.",
                code="search-format",
            ) from None


def _back_up(file: Path, revision: str | None) -> None:
    """Copy the file as it is, whoever else reads or writes it; an earlier copy of that form is replaced."""
    target = file.with_name(f"{file.name}.before-{NEWEST}-was-{revision}")
    draft = target.with_name(target.name + ".new")
    draft.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(file)) as source,
        contextlib.closing(sqlite3.connect(draft)) as copy,
    ):
        source.backup(copy)
    draft.replace(target)


@contextlib.contextmanager
def _in_words(url: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        words = str(error.orig).strip().splitlines()
        why = words[0] if words else type(error.orig).__name__
        if (isinstance(error.orig, sqlite3.DatabaseError) and "malformed" in why) or "not a database" in why:
            raise OutsideError(
                f"the search index {url} is damaged: {why}",
                "Move it away; it is built again from git: lockgate hub reindex",
                code="search-damaged",
            ) from error
        raise OutsideError(
            f"the search index {url} cannot be used: {why}",
            "Look at the disk (df -h) and the rights of the hub's directory, or at the database server.",
            code="search-unavailable",
            is_transient=True,
        ) from error
    except SQLAlchemyError as error:
        raise OutsideError(
            f"the search index {url} cannot be used: {error}",
            "Look whether the database server runs and takes connections, then try again.",
            code="search-unavailable",
            is_transient=True,
        ) from error
