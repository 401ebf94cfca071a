"""What members executed: journals become sittings of the feed, are found by their cells, and forgotten."""

from __future__ import annotations

import msgspec
import pytest
from journals import AT, cell, forged, write_journal
from sqlalchemy import func, select

from lockgate.activity.entry import Activity
from lockgate.activity.execution import KIND, Picture
from lockgate.errors import UserError
from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Member
from lockgate.hub.search import journal_intake, tables
from lockgate.hub.search.cells import cells_of, find_cell
from lockgate.hub.search.database import Database
from lockgate.hub.search.feed import FeedEntry, feed
from lockgate.hub.search.find import search
from lockgate.hub.search.intake import Intake
from lockgate.hub.worktree.admission import admit


@pytest.fixture
def project(hub: Hub) -> str:
    admit(hub, "flights")
    admit(hub, "cars")
    return "flights"


def sittings(database: Database, project: str, **narrowed: str) -> list[FeedEntry]:
    found = feed(database, [project], kind="cell", **narrowed).entries  # type: ignore[arg-type]
    return list(found)


def count(database: Database, name: str) -> int:
    with database.read() as connection:
        table = tables.METADATA.tables[name]
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_a_sitting_is_one_entry_and_goes_on(
    hub: Hub, project: str, database: Database, intake: Intake
) -> None:
    ids = write_journal(
        hub, project, "ada", "desk", [cell(1, AT), cell(2, AT + 60, status="error", error="E: x")]
    )
    assert intake.sync()
    (entry,) = sittings(database, project)
    assert (entry.title, entry.by, entry.where, entry.kind) == ("2 cells of n.ipynb", "ada", "main", KIND)
    sitting = entry.detail.sitting
    assert sitting is not None
    assert (sitting.count, sitting.failed, sitting.device, sitting.notebook) == (2, 1, "desk", "n.ipynb")
    assert [line.title for line in sitting.newest] == ["cell_2()", "cell_1()"]
    assert not intake.sync()
    picture = cell(3, AT + 120, pictures=(Picture("image/png", b"PNG"),))
    ids += write_journal(hub, project, "ada", "desk", [picture, cell(4, AT + 86_400)])
    assert intake.sync()
    later, first = sittings(database, project)
    assert (later.title, first.title, first.at, first.id) == (
        "1 cell of n.ipynb", "3 cells of n.ipynb", AT + 120, entry.id,
    )  # fmt: skip
    assert first.detail.sitting is not None
    assert first.detail.sitting.pictures == ((ids[2], "pictures/0.png"),)
    page = cells_of(database, project, ids[0], limit=2)
    assert ([line.title for line in page.cells], page.page, page.pages) == (["cell_1()"], 2, 2)
    assert [line.entry for line in cells_of(database, project, ids[0], 1).cells] == ids[2::-1]
    assert find_cell(database, project, ids[1]).line.error == "E: x"
    with pytest.raises(UserError) as caught:
        find_cell(database, "cars", ids[1])
    assert caught.value.code == "entry-unknown"


def test_a_flood_is_one_line(hub: Hub, project: str, database: Database, intake: Intake) -> None:
    write_journal(hub, project, "ada", "desk", [cell(n, AT + 3 * n) for n in range(1_000)])
    intake.sync()
    (entry,) = sittings(database, project)
    assert entry.title == "1000 cells of n.ipynb"
    assert cells_of(database, project, entry.id, 1).pages == 20


def test_notebooks_branches_devices_and_people_are_told_apart(
    hub: Hub, project: str, database: Database, intake: Intake
) -> None:
    mixed = [
        cell(n, AT + n, notebook=notebook, ref=f"refs/heads/{branch}")
        for n, (notebook, branch) in enumerate(
            [("a", "main"), ("b", "main"), ("a", "exp"), ("b", "main"), ("a", "main")]
        )
    ]
    write_journal(hub, project, "ada", "desk", mixed)
    write_journal(hub, project, "ada", "lap", [cell(9, AT + 9)])
    write_journal(hub, project, "bob", "desk", [cell(8, AT + 8)])
    intake.sync()
    titles = [(entry.by, entry.title, entry.where) for entry in sittings(database, project)]
    assert titles == [
        ("ada", "1 cell of n.ipynb", "main"),
        ("bob", "1 cell of n.ipynb", "main"),
        ("ada", "2 cells of a", "main"),
        ("ada", "2 cells of b", "main"),
        ("ada", "1 cell of a", "exp"),
    ]
    assert len(sittings(database, project, by="bob")) == 1
    assert [entry.where for entry in sittings(database, project, ref="exp")] == ["exp"]
    assert len(sittings(database, project, text="cells of b")) == 1
    assert feed(database, ["cars"], kind="cell").entries == ()


def test_cells_are_found_by_their_code_errors_and_output_once(
    hub: Hub, project: str, database: Database, intake: Intake
) -> None:
    same = [cell(n, AT + n, code="fit(banana)", text="loss 0.25\n") for n in range(3)]
    wrong = cell(7, AT + 9, code="plum()", status="error", error="KeyError: 'cherry'")
    ids = write_journal(hub, project, "ada", "desk", [*same, wrong])
    intake.sync()
    (hit,) = search(database, [project], "banana", kind="cell")
    assert (hit.title, hit.path, hit.by, hit.commit) == ("fit(banana)", "n.ipynb", "ada", ids[2])
    assert [hit.title for hit in search(database, [project], "cherry")] == ["plum()"]
    assert [hit.kind for hit in search(database, [project], "loss 0.25 n.ipynb")] == ["cell"]
    assert search(database, ["cars"], "banana") == ()


def test_nothing_that_a_clone_says_is_believed(
    hub: Hub, project: str, database: Database, intake: Intake
) -> None:
    ids = write_journal(hub, project, "ada", "desk", [cell(1, AT)])
    # The same commits under another's ref, a run that never was, and things that are no entries
    git(hub.repository(project), "update-ref", "refs/lockgate/journals/mallory/desk", ids[0])
    forged(
        hub,
        project,
        "mallory",
        "x",
        Activity(kind="run.finished", at="2026-01-01T00:00:00Z", by="mallory", title="R", run="R1"),
    )
    forged(
        hub,
        project,
        "mallory",
        "y",
        Activity(kind=KIND, at="9999-01-01T00:00:00Z", by="mallory", title="later"),
        code=b"future()",
    )
    forged(hub, project, "mallory", "z", Activity(kind=KIND, at="yesterday", by="mallory", title="t"))
    huge = Activity(
        kind=KIND, at="2026-01-01T00:00:00Z", by="mallory", title="t", evidence={"x": "y" * 70_000}
    )
    forged(hub, project, "mallory", "zz", huge)
    odd: dict[str, object] = {
        "pictures": [{"file": "../activity.json"}, {"file": "pictures/0.png"}, 5], "count": "7",
        "seconds": -1, "status": "great", "notebook": 7, "error": "token = 'hunter2hunter2'",
    }  # fmt: skip
    strange = Activity(
        kind=KIND, at="2026-01-01T00:00:00Z", by="mallory", title="t", evidence=odd, ref="refs/evil",
        commit="--all",
    )  # fmt: skip
    (seen,) = forged(hub, project, "mallory", "zzz", strange, code=b"password = 'correct horse'\0\xff")
    intake.sync()
    assert {entry.by for entry in sittings(database, project)} == {"ada", "mallory"}
    assert all(entry.kind != "run.finished" for entry in feed(database, [project]).entries)
    assert find_cell(database, project, ids[0]).sitting.by == "ada"
    line = find_cell(database, project, seen).line
    assert (line.pictures, line.count, line.seconds, line.status) == (
        ("pictures/0.png",),
        None,
        None,
        "unknown",
    )
    assert (line.commit, line.code, line.error) == (None, "password = '‹secret›'\ufffd", "token = '‹secret›'")
    (late,) = (entry for entry in sittings(database, project, by="mallory") if entry.at > AT)
    assert late.at < 4_000_000_000
    assert len(intake.problems[project]) == 4


def test_a_journal_that_was_rewritten_or_removed_is_forgotten(
    hub: Hub, project: str, database: Database, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_intake, "STRETCH", 2)
    write_journal(hub, project, "bob", "desk", [cell(5, AT)])
    write_journal(hub, project, "ada", "desk", [cell(n, AT + n, code=f"apple_{n}()") for n in range(5)])
    intake.sync()
    whole = {name: count(database, name) for name in ("cells", "journals", "documents", "activities")}
    ref = "refs/lockgate/journals/ada/desk"
    git(hub.repository(project), "update-ref", "-d", ref)
    write_journal(hub, project, "ada", "desk", [cell(1, AT, code="pear()")])
    assert intake.sync()
    assert search(database, [project], "apple_3") == ()
    assert len(search(database, [project], "pear")) == 1
    git(hub.repository(project), "update-ref", "-d", ref)
    assert intake.sync()
    assert search(database, [project], "pear") == ()
    assert [entry.by for entry in sittings(database, project)] == ["bob"]
    assert (count(database, "cells"), count(database, "journals")) == (1, 1)
    write_journal(hub, project, "ada", "desk", [cell(n, AT + n, code=f"apple_{n}()") for n in range(5)])
    intake.sync()
    before = sittings(database, project)
    git(hub.repository(project), "pack-refs", "--all")
    assert not intake.sync()
    intake.rebuild()
    assert {name: count(database, name) for name in whole} == whole
    assert [msgspec.structs.replace(entry) for entry in sittings(database, project)] == before
    copy, bobs = (f"refs/lockgate/journals/bob/{device}" for device in ("copy", "desk"))
    git(hub.repository(project), "update-ref", copy, bobs)
    assert intake.sync()
    assert sittings(database, project) == before
    git(hub.repository(project), "update-ref", "-d", bobs)
    assert intake.sync()
    assert {entry.by for entry in sittings(database, project)} == {"ada", "bob"}


def test_a_journal_is_of_the_member_whose_address_its_ref_holds(
    hub: Hub, project: str, database: Database, intake: Intake
) -> None:
    book = open_book(hub)
    book.add(Member(name="ada", email="ada@example.org"))
    for name, sign in (("bo", "!"), ("cy", "#")):
        book.add(Member(name=name, email=f"same{sign}@example.org"))
    write_journal(hub, project, "ada@example.org", "desk", [cell(1, AT)])
    write_journal(hub, project, "same!@example.org", "desk", [cell(1, AT)])
    intake.sync()
    assert {entry.by for entry in sittings(database, project)} == {"ada", "same!@example.org"}
