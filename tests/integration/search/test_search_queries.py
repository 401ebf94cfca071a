"""Runs table, feed, home, sessions and views: the same answers on both databases."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from recorded_runs import Recorder, measured, six_runs
from search_index import Filled

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.hub.members.mark import mark_of
from lockgate.hub.members.values import Member
from lockgate.hub.search import narrowing, titles
from lockgate.hub.search.database import Database
from lockgate.hub.search.feed import feed
from lockgate.hub.search.home import home
from lockgate.hub.search.intake import Intake
from lockgate.hub.search.runs_table import MOST_COLUMNS, OWN, export_csv, list_columns, list_runs
from lockgate.hub.search.sessions import create_session, end_session, find_session
from lockgate.hub.search.views import View, delete_view, list_views, save_view
from lockgate.hub.search.words import asked_words, words_of

Begin = Callable[[str], Recorder]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("", "edcba"),
        ("accuracy > 0.9", "b"),
        ("accuracy >= 0.9", "ba"),
        ("metrics.json:accuracy < 0.9", "d"),
        ("out/metrics.json:accuracy = 0.95", "b"),
        ("metric.accuracy = 0.95", "b"),
        ("accuracy != 0.9", "edb"),
        ("accuracy = unknown", "e"),
        ("accuracy ~ KNOW", "e"),
        ("not accuracy > 0.8", "edc"),
        ("depth = 8", "dcb"),
        ("depth = 16", "d"),
        ('depth = "8"', "c"),
        ("depth != 8", "da"),
        ("depth in (4, 16)", "da"),
        ("depth not in (4, 16)", "ecb"),
        ("param.kind ~ boo", "b"),
        ("kind !~ boo", "a"),
        ("accuracy > 0.9 and depth = 8", "b"),
        ("accuracy > 0.99 or state = failed", "c"),
        ("state != failed", "edba"),
        ("state in (failed, running)", "c"),
        ("member = bo", "b"),
        ('member = "o\'neill"', "e"),
        ("member != ada", "eb"),
        ("branch ~ EXP", "dc"),
        ("branch ~ exp_", "d"),
        ("branch !~ exp", "eba"),
        ("cause ~ 100%", "c"),
        ("cause ~ 100_", ""),
        ("cause !~ exit", "edba"),
        ("seconds > 4 min", "b"),
        ("created > 2001-01-01", "edcba"),
        ("created < 2001-01-01", ""),
        ("created = today", ""),
        ("project = flights", "edcba"),
        ("project ~ car", ""),
        ("run = 00000001", "a"),
        ("run ~ nothing", ""),
        ("commit = zz", ""),
        ("loss < 1 and not (member = bo or depth = 8)", "a"),
    ],
)
@pytest.mark.parametrize("few", [0, narrowing.FEW])
def test_filters(
    filled: Filled, filter: str, expected: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowing, "FEW", few)
    names, database = filled.names, filled.database
    page = list_runs(database, ["flights"], filter)
    short = {run: name for name, run in names.items()}
    assert "".join(short[row.id] for row in page.rows) == expected
    assert page.next is None and page.total == len(expected)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-created", "edcba"),
        ("created", "abcde"),
        ("accuracy", "dabec"),
        ("-accuracy", "badec"),
        ("-loss", "abedc"),
        ("depth", "abdce"),
        ("-depth", "dcbae"),
        ("kind", "baedc"),
        ("-seconds", "bedca"),
        ("seconds", "acdeb"),
        ("member", "acdbe"),
        ("cause", "cedba"),
        ("-state", "edbac"),
        ("-run", "edcba"),
    ],
)
def test_sorts_page_by_page(filled: Filled, sort: str, expected: str) -> None:
    names, database = filled.names, filled.database
    short = {run: name for name, run in names.items()}
    if sort == "depth":
        expected = "abcde"  # equal: the older first; of the matrix 8 counts
    for limit in (1, 2, 10):
        found, before, total = "", None, None
        while True:
            page = list_runs(database, ["flights"], sort=sort, limit=limit, before=before)
            total = total or page.total
            found += "".join(short[row.id] for row in page.rows)
            before = page.next
            if before is None:
                break
            assert len(page.rows) == limit
        assert found == expected
        assert total == 5


def test_several_projects_are_one_table(filled: Filled) -> None:
    names, database = filled.names, filled.database
    short = {run: name for name, run in names.items()}

    def found(filter: str = "", sort: str = "", projects: tuple[str, ...] = ("flights", "cars")) -> str:
        return "".join(short[row.id] for row in list_runs(database, projects, filter, sort).rows)

    assert sorted(found()) == list("abcdex")
    assert found("accuracy > 0.9", "-accuracy") == "bx"
    assert found("", "-accuracy")[:3] == "bxa"
    assert found("project ~ car") == "x"
    assert found(projects=()) == "" and found(projects=("other",)) == ""
    assert found("accuracy > 0", projects=("cars",)) == "x"


def test_sorting_over_very_many_names_loses_no_run(
    recorder: Begin, intake: Intake, database: Database
) -> None:
    flights = recorder("flights")
    files = {f"part{number}.json": ("metrics", b'{"loss": %d}' % number) for number in range(450)}
    every = flights.run(files)  # type: ignore[arg-type]
    last = flights.run({"part449.json": ("metrics", b'{"loss": 1000}')})
    none = flights.run()
    intake.sync()
    assert [row.id for row in list_runs(database, ["flights"], sort="-loss").rows] == [last, every, none]
    assert [row.id for row in list_runs(database, ["flights"], sort="loss").rows] == [every, last, none]
    page = list_runs(database, ["flights"], sort="-loss", limit=1)
    assert [row.id for row in list_runs(database, ["flights"], sort="-loss", before=page.next).rows] == [
        every, none,
    ]  # fmt: skip
    assert len([column for column in page.columns if column.kind == "metric"]) == 1
    assert len(list_runs(database, ["flights"]).columns) == len(OWN) + MOST_COLUMNS


def test_columns_are_what_the_rows_have_or_what_is_asked_for(filled: Filled) -> None:
    database = filled.database
    page = list_runs(database, ["flights"])
    assert [(c.name, c.kind, c.label) for c in page.columns][-4:] == [
        ("depth", "param", "depth"),
        ("kind", "param", "kind"),
        ("out/metrics.json:accuracy", "metric", "accuracy"),
        ("out/metrics.json:loss", "metric", "loss"),
    ]
    page = list_runs(database, ["flights"], "depth = 16", columns=["state", "accuracy", "depth", "gone"])
    assert [column.name for column in page.columns] == ["state", "out/metrics.json:accuracy", "depth", "gone"]
    assert page.rows[0].params == {"depth": "8, 16"}
    assert {column.name for column in list_columns(database, ["flights"])} >= {"run", "depth", "kind"}


def test_a_column_that_no_run_has(filled: Filled) -> None:
    database = filled.database
    for filter, sort in (("acuracy > 0.9", ""), ("", "-acuracy")):
        with pytest.raises(UserError) as caught:
            list_runs(database, ["flights"], filter, sort)
        assert caught.value.code == "filter-invalid"
        assert "`acuracy`" in caught.value.message and "accuracy" in caught.value.hint


@pytest.mark.parametrize("before", ["x", "é", "AAAA", "e30", "bnVsbA"])
def test_a_page_that_is_none(filled: Filled, before: str) -> None:
    database = filled.database
    with pytest.raises(UserError) as caught:
        list_runs(database, ["flights"], before=before)
    assert caught.value.code == "page-invalid"
    with pytest.raises(UserError) as caught:
        feed(database, ["flights"], before=before)
    assert caught.value.code == "page-invalid"


def test_csv_is_whole_and_harmless(recorder: Begin, intake: Intake, database: Database) -> None:
    names = six_runs(recorder)
    flights = recorder("flights")
    flights.now += 10_000
    flights.run(measured(accuracy=-1.5), {"kind": '=cmd|"x"!A1', "depth": 3}, member="a,b")
    intake.sync()
    rows = list(csv.DictReader(io.StringIO("".join(export_csv(database, ["flights"])))))
    assert len(rows) == 6
    assert rows[0]["kind"] == '\'=cmd|"x"!A1'
    assert (rows[0]["member"], rows[0]["depth"], rows[0]["out/metrics.json:accuracy"]) == ("a,b", "3", "-1.5")
    assert rows[-1]["run"] == names["a"] and rows[-1]["created"].endswith("Z")
    only = list(export_csv(database, ["flights"], "depth = 4", columns=["run", "accuracy"]))
    assert "".join(only).splitlines() == ["run,out/metrics.json:accuracy", f"{names['a']},0.9"]


def test_the_feed_is_narrowed(filled: Filled) -> None:
    database = filled.database

    def kinds(**words: str) -> list[str]:
        return [entry.kind for entry in feed(database, ["flights"], **words).entries]  # type: ignore[arg-type]

    assert kinds(by="bo") == ["run.finished", "run.queued"]
    assert kinds(kind="project") == ["project.added"] == kinds(kind="project.added")
    assert len(kinds(kind="run")) == 10 and len(kinds(kind="run.finished")) == 5
    assert kinds(ref="exp-1") == ["run.finished", "run.queued"] == kinds(ref="refs/heads/exp-1")
    assert kinds(text="FAILED exp-1") == ["run.finished"]
    assert kinds(by="nobody") == kinds(text="100%_") == []
    assert feed(database, []).entries == ()
    entry = feed(database, ["flights"], ref="exp-1").entries[0]
    assert (entry.outcome, entry.detail.cause, entry.where) == ("failed", "train: exit 1 of 100%", "exp-1")


@pytest.mark.parametrize(("few", "walked"), [(titles.FEW, titles.WALKED), (0, titles.WALKED), (0, 0)])
def test_titles_are_found_the_same_whichever_way(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, few: int, walked: int
) -> None:
    monkeypatch.setattr(titles, "FEW", few)
    monkeypatch.setattr(titles, "WALKED", walked)
    database, both = filled.database, ["flights", "cars"]
    whole = feed(database, both).entries
    words = {word for entry in whole for word in words_of([entry.title])}
    assert {"succeeded", "queued", "exp"} <= words
    for text in [*sorted(words), "run succ", "QUEUED run", "exp-1", "succeeded nobody", "ran succeeded"]:
        fits = [entry.id for entry in whole if titles.holds(entry.title, asked_words(text))]
        found: list[str] = []
        before = None
        while True:
            page = feed(database, both, text=text, limit=2, before=before)
            found += [entry.id for entry in page.entries]
            before = page.next
            if before is None:
                break
        assert found == fits, text
        mine = [entry.id for entry in feed(database, both, text=text, by="bo").entries]
        assert mine == [entry.id for entry in whole if entry.id in fits and entry.by == "bo"]
        assert {entry.project for entry in feed(database, ["cars"], text=text).entries} <= {"cars"}
    assert feed(database, both, text="%&").entries == ()


def test_a_title_holds_words_without_case_accents_and_humps() -> None:
    title = "Café run of gradientBoost_v2 SUCCEEDED"
    for text in ("cafe", "CAFÉ run", "boost", "gradientboost", "v2", "run succ", "grad"):
        assert titles.holds(title, asked_words(text)), text
    for text in ("caf run", "succ run", "oost", "failed"):
        assert not titles.holds(title, asked_words(text)), text


def test_the_feed_page_by_page(filled: Filled) -> None:
    database = filled.database
    whole = [entry.id for entry in feed(database, ["flights", "cars"]).entries]
    assert len(whole) == 14
    paged: list[str] = []
    before = None
    while True:
        page = feed(database, ["cars", "flights"], limit=3, before=before)
        paged += [entry.id for entry in page.entries]
        before = page.next
        if before is None:
            break
    assert paged == whole


def test_home(recorder: Begin, intake: Intake, hub: Hub, database: Database) -> None:
    names = six_runs(recorder)
    flights = recorder("flights")
    flights.now += 10_000
    broken = flights.run(outcome="failed", cause="again")
    flights.activity("proposal.opened", "ada proposes lockgate.toml", by="ada", ref="refs/heads/proposal-1")
    flights.activity("proposal.opened", "bo proposes", by="bo", ref="refs/heads/proposal-2")
    flights.activity("proposal.declined", "no", by="lead", ref="refs/heads/proposal-2")
    index = Index(hub.index)
    index.add_run(
        Request(id="R1", project="cars", ref="refs/heads/main", commit="c", member="ada"), "queued", 3e9
    )
    index.close()
    intake.sync()
    found = home(database, ["flights", "cars"], "bo")
    assert [(line.name, line.newest and line.newest.id) for line in found.projects] == [
        ("cars", "R1"), ("flights", broken),
    ]  # fmt: skip
    assert [run.id for run in found.running] == ["R1"]
    assert [(each.run.id, each.is_mended) for each in found.failed] == [(broken, False), (names["c"], False)]
    assert [entry.ref for entry in found.proposals] == ["refs/heads/proposal-1"]
    assert [run.id for run in found.mine] == [names["b"]]
    flights.run(measured(accuracy=1))
    intake.sync()
    assert [each.is_mended for each in home(database, ["flights"]).failed] == [True, False]
    assert home(database, []).projects == ()


def test_sessions(database: Database) -> None:
    secret, session = create_session(database, Member(name="ada"), days=1, now=1_000.0)
    assert find_session(database, secret, now=1_001.0) == session
    assert find_session(database, secret, now=1_000.0 + 86_400) is None
    assert find_session(database, "\ud800other", now=1_001.0) is None
    with database.read() as connection:
        from sqlalchemy import text

        kept = connection.execute(text("select * from sessions")).one()
    assert secret not in kept
    end_session(database, secret)
    end_session(database, secret)
    assert find_session(database, secret, now=1_001.0) is None
    bob = Member(name="bob", password="$argon2id$one")
    old, _ = create_session(database, bob, days=1, now=1_000.0)
    found = find_session(database, old, now=1_001.0)
    assert found is not None and (found.member, found.mark) == ("bob", mark_of(bob))
    create_session(database, bob, days=1, now=1e9)
    assert find_session(database, old, now=1_001.0) is None


def test_views(database: Database, intake: Intake) -> None:
    view = View(
        name="Best", project="p", owner="ada", filter="accuracy > 0.9", sort="-accuracy", columns=("depth",)
    )
    assert not save_view(database, view)
    assert not save_view(database, View(name="Best", project="p", owner="bo"))
    newer = View(name="Best", project="p", owner="ada", filter="depth = 8")
    assert save_view(database, newer)
    assert [each.owner for each in list_views(database, "p")] == ["ada", "bo"]
    assert list_views(database, "p")[0] == newer
    intake.rebuild()
    assert len(list_views(database, "p")) == 2
    assert delete_view(database, "p", "ada", "Best")
    assert not delete_view(database, "p", "ada", "Best")
    for bad in (View(name=" ", project="p", owner="ada"), View(name="x\ny", project="p", owner="ada"),
                View(name="x", project="p", owner="ada", filter="state = nothing")):  # fmt: skip
        with pytest.raises(UserError):
            save_view(database, bad)
