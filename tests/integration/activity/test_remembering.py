"""The feed of a clone: several journals and the chain in one, a page at a time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lockgate.activity.entry import Activity
from lockgate.activity.execution import Execution, entry_of
from lockgate.activity.journal import REFS, Entry, append
from lockgate.errors import UserError
from lockgate.git.objects import Repository
from lockgate.hub.worktree.journal import Journal, device, journal_ref
from lockgate.hub.worktree.remembering import Line, Wanted, page_of, show, state_at
from lockgate.hub.worktree.returning import branch_off, foresee_return
from lockgate.hub.worktree.rollback import roll_back

AT = 1_780_000_000.0


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("first\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def cell(number: int, at: float, **more: object) -> Execution:
    done = Execution(code=f"cell_{number}()", count=number, started_at=at, status="ok", notebook="n.ipynb")
    return (
        done
        if not more
        else type(done)(**{name: getattr(done, name) for name in done.__struct_fields__} | more)
    )


def titles(lines: tuple[Line, ...]) -> list[str]:
    return [line.title.split(": ")[1] for line in lines]


def test_journals_of_several_are_one_feed_by_time_and_page(root: Path) -> None:
    Journal(root).note([cell(n, AT + 2 * n) for n in range(300)], [])
    entries = [Entry(*entry_of(cell(1000 + n, AT + 2 * n + 1), "bob", None, [])) for n in range(3)]
    append(Repository(root), f"{REFS}bob/desk", entries, ("bob", "", int(AT)))
    found: list[str] = []
    page = page_of(root, Wanted(text="cell"), size=120)
    while True:
        found += titles(page.lines)
        assert len(page.lines) <= 120
        if page.next is None:
            break
        page = page_of(root, Wanted(text="cell"), page.next, size=120)
    assert found[:2] == ["cell_299()", "cell_298()"]
    assert found[-6:] == ["cell_1002()", "cell_2()", "cell_1001()", "cell_1()", "cell_1000()", "cell_0()"]
    assert len(found) == len(set(found)) == 303
    assert titles(page_of(root, Wanted(by="bob")).lines) == ["cell_1002()", "cell_1001()", "cell_1000()"]
    assert titles(page_of(root, Wanted(text="CELL_7() n.ipynb")).lines) == ["cell_7()"]


def test_cells_of_one_sitting_fold_and_a_page_counts_them_once(root: Path) -> None:
    Journal(root).note([cell(n, AT + n) for n in range(6)], [])
    Journal(root).note([cell(n, AT + 10 + n, notebook="m.ipynb") for n in range(2)], [])
    Journal(root).note([cell(9, AT + 7200)], [])
    page = page_of(root, Wanted(), size=2)
    assert [line.follows for line in page.lines] == [False, False, True]
    assert page.next is not None
    rest = page_of(root, Wanted(), page.next, size=2)
    assert [line.follows for line in rest.lines] == [False, *[True] * 5]
    assert not any(line.follows for line in page_of(root, Wanted(text="n.ipynb")).lines)
    assert page_of(root, Wanted(branch="main")).lines[0].branch == "main"
    assert page_of(root, Wanted(branch="other")).lines == ()


def test_what_others_pushed_is_theirs_and_breaks_nothing(root: Path) -> None:
    Journal(root).note([cell(1, AT)], [])
    stranger = [Entry(*entry_of(cell(2, AT), "ada", None, []))]
    faked = Activity(kind="run.finished", at="2026-01-01T00:00:00Z", by="bob", title="Run", run="R1")
    append(Repository(root), f"{REFS}bob/desk", [*stranger, Entry(faked, {})], ("bob", "", int(AT)))
    git(root, "update-ref", f"{REFS}eve/desk", "HEAD")
    lines = page_of(root, Wanted(text="cell")).lines
    assert {line.title.split(": ")[1] for line in lines if line.by == "bob"} == {"cell_2()"}
    assert len(page_of(root, Wanted()).lines) == len(lines) == 2


def test_what_matters_can_be_asked_for(root: Path) -> None:
    failed = cell(2, AT + 1, status="error", error="E: x", text="E: x")
    Journal(root).note([cell(1, AT), failed], [])
    (line,) = page_of(root, Wanted(is_important=True)).lines
    assert line.kind == "error"
    assert page_of(root, Wanted(kinds=("cell",))).lines[0].title.endswith("cell_1()")
    shown = show(root, line.id)
    assert (shown.code, shown.output, shown.error) == ("cell_2()", "E: x", "E: x")


def test_entries_of_nobody_are_unknown(root: Path) -> None:
    Journal(root).note([cell(1, AT)], [])
    for id in ("x", "0" * 40, git(root, "rev-parse", "HEAD")):
        with pytest.raises(UserError) as caught:
            show(root, id)
        assert caught.value.code == "entry-unknown"
    with pytest.raises(UserError) as caught:
        page_of(root, Wanted(), {"refs/heads/main": "--all"})
    assert caught.value.code == "page-invalid"


def test_back_to_a_cell_and_a_branch_from_it(root: Path) -> None:
    (root / "a.txt").write_text("as the cell ran\n")
    (entry,) = Journal(root).note([cell(1, AT)], [])
    (root / "a.txt").write_text("later\n")
    (root / "b.txt").write_text("new\n")
    state = state_at(root, entry)
    foreseen = foresee_return(root, state)
    assert (foreseen.changed, foreseen.is_uncommitted) == (("a.txt", "b.txt"), True)
    done = branch_off(root, state, "other")
    assert (root / "a.txt").read_text() == "as the cell ran\n"
    assert not (root / "b.txt").exists()
    assert git(root, "branch", "--show-current") == "other"
    assert git(root, "rev-parse", "HEAD") == state.commit
    assert done.undo is not None
    assert git(root, "show", f"{done.undo}:b.txt") == "new"
    with pytest.raises(UserError) as caught:
        branch_off(root, state, "main")
    assert caught.value.code == "ref-conflict"
    git(root, "switch", "-q", "main")
    assert roll_back(root, state).branch == "main"
    assert (root / "a.txt").read_text() == "as the cell ran\n"


def test_a_branch_that_cannot_begin_leaves_all_as_it_was(root: Path) -> None:
    (root / "a.txt").write_text("as the cell ran\n")
    (root / "c.txt").write_text("kept\n")
    (entry,) = Journal(root).note([cell(1, AT)], [])
    (root / ".gitignore").write_text("c.txt\n")
    (root / "c.txt").write_text("ignored now\n")
    git(root, "add", ".gitignore")
    git(root, "commit", "-qm", "ignore it")
    with pytest.raises(UserError) as caught:
        branch_off(root, state_at(root, entry), "other")
    assert caught.value.code == "ignored-in-the-way"
    assert git(root, "branch", "--show-current") == "main"
    assert git(root, "for-each-ref", "refs/heads/other", "refs/lockgate/undo") == ""
    assert (root / "c.txt").read_text() == "ignored now\n"


def test_the_work_tree_is_kept_once_where_nothing_changed(root: Path) -> None:
    journal = Journal(root)
    (root / "a.txt").write_text("edited\n")
    first, second = journal.note([cell(1, AT)], []), journal.note([cell(2, AT + 1)], [])
    (root / "a.txt").write_text("again\n")
    third = journal.note([cell(3, AT + 2)], [])
    states = [state_at(root, entry).commit for entry in (*first, *second, *third)]
    assert states[0] == states[1] != states[2]
    assert git(root, "status", "--porcelain") == "M a.txt"


def test_in_the_midst_of_a_merge_entries_have_no_state(root: Path) -> None:
    git(root, "switch", "-qc", "side")
    (root / "a.txt").write_text("side\n")
    git(root, "commit", "-qam", "side")
    git(root, "switch", "-q", "main")
    (root / "a.txt").write_text("main\n")
    git(root, "commit", "-qam", "main")
    subprocess.run(["git", "-C", str(root), "merge", "side"], capture_output=True, check=False)
    (entry,) = Journal(root).note([cell(1, AT)], [])
    with pytest.raises(UserError) as caught:
        state_at(root, entry)
    assert caught.value.code == "activity-no-state"


def test_a_device_keeps_its_name(root: Path) -> None:
    assert device(root) == device(root)
    assert journal_ref(root) == f"{REFS}member@example-org/{device(root)}"
