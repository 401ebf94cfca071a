"""A hub with a search index, on SQLite and on PostgreSQL; every test that asks for one runs on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import postgresql_service
import pytest
from recorded_runs import Recorder, six_runs
from search_index import Filled

from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.search.database import Database, open_database
from lockgate.hub.search.intake import Intake

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgresql_service.PostgreSQL]:
    with postgresql_service.for_tests() as service:
        yield service


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the index lies; None: beside the hub's other files."""
    if request.param == "sqlite":
        return None
    service: postgresql_service.PostgreSQL = request.getfixturevalue("postgresql")
    return service.new_database()


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return create_hub(tmp_path / "hub")[0]


@pytest.fixture
def database(hub: Hub, url: str | None) -> Iterator[Database]:
    database = open_database(hub, url)
    yield database
    database.close()


@pytest.fixture
def intake(hub: Hub, database: Database) -> Intake:
    return Intake(hub, database)


@pytest.fixture
def recorder(hub: Hub, tmp_path: Path) -> Callable[[str], Recorder]:
    """Begin a project."""
    (tmp_path / "logs").mkdir()
    return lambda project: Recorder(hub, project, tmp_path / "logs")


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Hub, dict[str, str]]:
    """Six runs that no test changes."""
    root = tmp_path_factory.mktemp("recorded")
    hub, _ = create_hub(root / "hub")
    return hub, six_runs(lambda project: Recorder(hub, project, root))


@pytest.fixture(scope="session", params=KINDS)
def filled(request: pytest.FixtureRequest, recorded: tuple[Hub, dict[str, str]]) -> Iterator[Filled]:
    """Their index."""
    hub, names = recorded
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql").new_database()
    database = open_database(hub, url)
    Intake(hub, database).sync()
    yield Filled(hub, database, names)
    database.close()
