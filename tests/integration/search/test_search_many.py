"""Many runs and documents of several projects, not alike: pages are those of all of them together."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from sqlalchemy import select

from lockgate.activity.entry import Activity
from lockgate.hub.directory import create_hub
from lockgate.hub.indexing.rows import Request, RunRow
from lockgate.hub.search import narrowing, slices
from lockgate.hub.search.database import Database, open_database
from lockgate.hub.search.detail import Detail
from lockgate.hub.search.document import Document
from lockgate.hub.search.feed import feed
from lockgate.hub.search.find import search
from lockgate.hub.search.reading import ReadEntry, ReadRun, Value
from lockgate.hub.search.runs_table import list_runs
from lockgate.hub.search.tables import activities
from lockgate.hub.search.titles import holds
from lockgate.hub.search.words import asked_words, find_documents
from lockgate.hub.search.writing import mark_of, put_documents, put_entries, put_runs

PROJECTS = [f"p{number}" for number in range(7)]


class Known(NamedTuple):
    """What a test knows of a run."""

    number: int
    id: str
    project: str
    member: str
    created_at: float
    loss: float | str | None


def random_runs(count: int = 300) -> list[Known]:
    """The first project has the newest and the best half; many are alike."""
    dice = random.Random(11)
    found = []
    for number in range(count):
        is_best = number >= count // 2
        loss: float | str | None = dice.choice([None, "nan", dice.randrange(20) + 100.0 * is_best])
        found.append(
            Known(
                number=number,
                id=f"R{number:04d}",
                project="p0" if is_best and dice.random() < 0.9 else dice.choice(PROJECTS),
                member=dice.choice(["ada", "bo"]),
                created_at=float(number // 4),
                loss=loss,
            )
        )
    return found


class Many(NamedTuple):
    database: Database
    runs: list[Known]


@pytest.fixture(scope="module", params=("sqlite", "postgresql"))
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    hub, _ = create_hub(tmp_path_factory.mktemp("many") / "hub")
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql").new_database()
    database = open_database(hub, url)
    runs = random_runs()
    with database.write() as connection:
        numbers = {project: mark_of(connection, project).number for project in PROJECTS}
        for each in runs:
            put_runs(connection, numbers[each.project], [as_read(each)])
    yield Many(database, runs)
    database.close()


def as_read(run: Known) -> ReadRun:
    return ReadRun(
        row=RunRow(
            number=run.number,
            request=Request(
                id=run.id, project=run.project, ref="refs/heads/main", commit="c", member=run.member
            ),
            state="succeeded",
            cause=None,
            created_at=run.created_at,
            started_at=None,
            ended_at=None,
            result_commit=None,
            has_moved_branch=False,
        ),
        values=() if run.loss is None else (as_value(run.loss),),
    )


def as_value(loss: float | str) -> Value:
    is_word = isinstance(loss, str)
    return Value("metric", "m.json:loss", None if is_word else float(loss), str(loss) if is_word else None)


def by_loss(runs: list[Known], sign: int) -> list[Known]:
    """Numbers first, then words, then the rest, the newest of them first."""
    numbers = [run for run in runs if isinstance(run.loss, float)]
    words = [run for run in runs if isinstance(run.loss, str)]
    rest = [run for run in runs if run.loss is None]
    return [
        *sorted(numbers, key=lambda run: (sign * float(run.loss or 0), sign * run.number)),
        *sorted(words, key=lambda run: sign * run.number),
        *sorted(rest, key=lambda run: -run.number),
    ]


@pytest.mark.parametrize(
    ("sort", "filter", "ordered", "wanted"),
    [
        ("-created", "", lambda runs: runs[::-1], lambda run: True),
        ("created", "member = bo", lambda runs: runs, lambda run: run.member == "bo"),
        ("-loss", "", lambda runs: by_loss(runs, -1), lambda run: True),
        ("loss", "", lambda runs: by_loss(runs, 1), lambda run: True),
        ("-loss", "loss > 10", lambda runs: by_loss(runs, -1),
         lambda run: isinstance(run.loss, float) and run.loss > 10),
        ("-loss", "member = ada or loss = 7 and not loss = 8", lambda runs: by_loss(runs, -1),
         lambda run: run.member == "ada" or run.loss == 7),
        ("created", "loss = nan or created > 2000-01-01 or loss = 12", lambda runs: runs,
         lambda run: run.loss in ("nan", 12)),
        ("-created", "loss = 1000 and member = bo", lambda runs: runs, lambda run: False),
        ("loss", "loss < 105 and member = ada", lambda runs: by_loss(runs, 1),
         lambda run: isinstance(run.loss, float) and run.loss < 105 and run.member == "ada"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("limit", [5, 40, 500])
@pytest.mark.parametrize("few", [0, narrowing.FEW])
def test_pages_of_several_projects(
    many: Many,
    sort: str,
    filter: str,
    ordered: Callable[[list[Known]], list[Known]],
    wanted: Callable[[Known], bool],
    limit: int,
    few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(narrowing, "FEW", few)
    for asked in (PROJECTS, PROJECTS[1:], PROJECTS[:1]):
        expected = [
            run.id for run in ordered([run for run in many.runs if wanted(run) and run.project in asked])
        ]
        found: list[str] = []
        before = None
        while True:
            page = list_runs(many.database, asked, filter, sort, limit=limit, before=before)
            found += [row.id for row in page.rows]
            before = page.next
            if before is None:
                break
        assert found == expected


def test_words_are_found_whichever_slice_they_are_in(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE", 3)
    dice = random.Random(5)
    fruits = ("banana", "band", "fig", "größe", "東京")
    texts = [dice.sample(fruits, dice.randrange(1, 4)) for _ in range(90)]
    with database.write() as connection:
        numbers = {project: mark_of(connection, project).number for project in PROJECTS}
        for at, text in enumerate(texts):
            document = Document(
                kind="commit", key=f"k{at}", at=float(at), by="ada", title=f"T{at}", body=" ".join(text)
            )
            put_documents(connection, numbers[PROJECTS[at % 7]], [document])
    for asked, begun in (("banana", "banana"), ("ban", "ban"), ("fig band", "band"), ("größe", "größe")):
        words = asked.split()
        fitting = [
            at
            for at, text in enumerate(texts)
            if all(word in text for word in words[:-1]) and any(each.startswith(begun) for each in text)
        ]
        for projects in (PROJECTS, PROJECTS[2:4], PROJECTS[6:]):
            expected = [f"T{at}" for at in reversed(fitting) if PROJECTS[at % 7] in projects]
            hits = search(database, projects, asked, limit=200)
            assert [hit.title for hit in hits] == expected
            assert [hit.title for hit in search(database, projects, asked, limit=7)] == expected[:7]
    with database.read() as connection:
        assert find_documents(connection, ["cherry"], None, 10) == []
        assert len(find_documents(connection, ["fig"], None, 10)) == 10


def test_titles_are_found_in_time_whenever_they_came_in(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE", 5)
    dice = random.Random(3)
    # Most come in as they were done; a journal that was synced late, and a clock that is ahead, do not
    whens = [float(at if dice.random() < 0.8 else dice.randrange(220)) for at in range(200)]
    wholes = [
        (
            f"{number:040x}",
            at,
            " ".join(dice.sample(("banana", "band", "fig", "plum"), 2)),
            PROJECTS[number % 3],
        )
        for number, at in enumerate(whens)
    ]
    with database.write() as connection:
        numbers = {project: mark_of(connection, project).number for project in PROJECTS}
        for id, at, title, project in wholes:
            told = Activity(kind="push.received", at="1970-01-01T00:00:00Z", by="ada", title=title)
            put_entries(
                connection, numbers[project], [ReadEntry(id=id, activity=told, at=at, detail=Detail())]
            )
            own = Document(kind="activity", key=id, at=at, by="ada", title=title, body="")
            put_documents(connection, numbers[project], [own])
    with database.read() as connection:
        question = select(activities.c.entry).order_by(activities.c.at.desc(), activities.c.number.desc())
        ordered = list(connection.execute(question).scalars())
    by_id = {id: (title, project) for id, _, title, project in wholes}
    for asked, projects, limit in (
        ("banana", PROJECTS, 3),
        ("ban", PROJECTS, 11),
        ("fig plum", PROJECTS[:1], 2),
        ("ban", PROJECTS[2:], 2),
    ):
        words = asked_words(asked)
        expected = [id for id in ordered if holds(by_id[id][0], words) and by_id[id][1] in projects]
        found: list[str] = []
        before = None
        while True:
            page = feed(database, projects, text=asked, limit=limit, before=before)
            found += [entry.id for entry in page.entries]
            before = page.next
            if before is None:
                break
        assert found == expected, asked
