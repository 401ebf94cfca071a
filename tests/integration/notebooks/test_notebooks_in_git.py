"""Plain git, and sync, with notebooks: merged by cell, shown as text, outputs where they are wanted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate.git.program import attempt, git
from lockgate.hub.notebooks import merge, merge_driver
from lockgate.hub.notebooks.clone import Prepared, prepare, switch_off, switch_on
from lockgate.hub.notebooks.committed import before_sending, once_sent, unsent_outputs
from lockgate.hub.sync.sync import sync
from lockgate.hub.sync.undo import undo
from lockgate.project.snapshot import WorktreeSource
from lockgate.runs.lockfile import write_lock
from lockgate.runs.record import Artifact, StageRecord

STREAM = {"output_type": "stream", "name": "stdout", "text": ["ö 1\n"]}


def notebook(*sources: str, count: int | None = None) -> str:
    """Cells of these sources, executed if there is a count."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "execution_count": count, "id": f"c{number}", "metadata": {},
         "outputs": [STREAM] if count else [], "source": [source]}
        for number, source in enumerate(sources)
    ]  # fmt: skip
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def sources(text: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]


def repository(root: Path, **files: str) -> Path:
    git(root.parent, "init", "-q", root.name)
    prepare(root)
    for name, text in files.items():
        (root / name.replace("_", ".")).write_text(text)
    commit(root, "first")
    return root


def commit(root: Path, message: str) -> None:
    git(root, "add", "--all")
    git(root, "commit", "-q", "--allow-empty", "-m", message)


def both_changed(root: Path, mine: str, theirs: str) -> None:
    git(root, "switch", "-q", "-c", "other")
    (root / "n.ipynb").write_text(theirs)
    commit(root, "theirs")
    git(root, "switch", "-q", "main")
    (root / "n.ipynb").write_text(mine)


@pytest.mark.parametrize("way", ["merge", "rebase", "stash"])
def test_other_cells_and_other_outputs_need_no_question(tmp_path: Path, way: str) -> None:
    root = repository(tmp_path / "ä b", n_ipynb=notebook("a", "b", "c", count=1))
    both_changed(root, notebook("A", "b", "c", count=2), notebook("a", "b", "C", count=3))
    if way == "stash":
        git(root, "stash")
        git(root, "merge", "-q", "other")
        git(root, "stash", "pop")
    else:
        commit(root, "mine")
        git(root, way, "-q", "other")
    assert sources((root / "n.ipynb").read_text()) == ["A", "b", "C"]


def test_one_cell_of_both_has_marks_in_a_notebook_that_opens(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", n_ipynb=notebook("a", "x\ny\nz"))
    both_changed(root, notebook("a", "x\nmine\nz"), notebook("A", "x\ntheirs\nz"))
    commit(root, "mine")
    code, _, error = attempt(root, "merge", "other")
    assert (code, b"n.ipynb: both changed code cell 2" in error) == (1, True)
    assert sources((root / "n.ipynb").read_text()) == [
        "A", "x\n<<<<<<< ours\nmine\n=======\ntheirs\n>>>>>>> theirs\nz",
    ]  # fmt: skip
    assert git(root, "status", "--porcelain") == b"UU n.ipynb\n"


def test_a_notebook_that_both_added_holds_both(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", a="a")
    both_changed(root, notebook("mine"), notebook("theirs"))
    commit(root, "mine")
    attempt(root, "merge", "other")
    assert {"mine", "theirs"} <= set("\n".join(sources((root / "n.ipynb").read_text())).split("\n"))


@pytest.mark.parametrize("python", ["/moved/50%/it's gone/python", "/bin/false"])
def test_git_goes_on_where_the_environment_was_moved_or_lacks_lockgate(tmp_path: Path, python: str) -> None:
    root = repository(tmp_path / "r", n_ipynb=notebook("a", "b", "c", count=1))
    (root / "lockgate.toml").write_text('[notebooks]\noutputs = "strip"\n')
    prepare(root, python)
    both_changed(root, notebook("A", "b", "c", count=1), notebook("a", "b", "C", count=1))
    assert b"+" in git(root, "diff") and b"+" in git(root, "log", "-p", "other")
    commit(root, "mine")
    git(root, "merge", "-q", "other")
    assert sources((root / "n.ipynb").read_text()) == ["A", "b", "C"]


def test_diff_log_and_show_are_by_cell_also_of_a_new_and_a_removed_notebook(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", n_ipynb=notebook("a", "b"), old_ipynb=notebook("o"))
    (root / "n.ipynb").write_text(notebook("a", "changed", count=1))
    git(root, "rm", "-q", "old.ipynb")
    (root / "new.ipynb").write_text(notebook("brand new"))
    git(root, "add", "-N", "new.ipynb")
    seen = git(root, "diff", "--no-color").decode()
    assert "+changed" in seen and "+brand new" in seen and '"cell_type"' not in seen
    commit(root, "second")
    seen = git(root, "log", "-p", "-1").decode()
    assert "+changed" in seen and "-o" in seen and "── code cell 2" in seen and '"cell_type"' not in seen
    # Kept by git for the next time, as long as it is this command that gives it
    kept = "refs/notes/textconv/lockgate-notebook"
    assert attempt(root, "show-ref", "--verify", kept)[0] == 0
    prepare(root, "/moved/python")
    assert "+changed" not in git(root, "log", "-p", "-1").decode()
    switch_off(root)
    assert attempt(root, "show-ref", "--verify", kept)[0] != 0


def test_stripped_outputs_stay_in_the_file_and_leave_git_and_status_is_clean(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", a="a")
    (root / "lockgate.toml").write_text('[notebooks]\noutputs = "strip"\n')
    prepare(root)
    executed = notebook("ü", "b", count=7).replace("\n", "\r\n")
    for number in range(3):
        (root / f"n{number}.ipynb").write_bytes(executed.encode())
    (root / "broken.ipynb").write_text("<<<<<<<")
    code, _, error = attempt(root, "add", "--all")
    assert (code, b"lockgate: broken.ipynb is taken as it is: an object is missing" in error) == (0, True)
    commit(root, "with outputs")
    assert git(root, "show", "HEAD:n1.ipynb") == notebook("ü", "b").replace("\n", "\r\n").encode()
    assert git(root, "show", "HEAD:broken.ipynb") == b"<<<<<<<"
    assert (root / "n1.ipynb").read_bytes() == executed.encode()
    # However git is made to look again, there is nothing to see
    for path in root.glob("*.ipynb"):
        os.utime(path, (1, 1))
    assert git(root, "status", "--porcelain") == b""
    (root / "n1.ipynb").write_text(notebook("new", count=8))
    entry = WorktreeSource(root).files()["n1.ipynb"]
    commit(root, "second")
    assert git(root, "rev-parse", "HEAD:n1.ipynb").decode().strip() == entry.id
    git(root, "clone", "-q", str(root), str(tmp_path / "fresh"))
    prepare(tmp_path / "fresh")
    git(tmp_path / "fresh", "rm", "-q", "--cached", "-r", ".")
    git(tmp_path / "fresh", "reset", "-q", "--hard")
    assert git(tmp_path / "fresh", "status", "--porcelain") == b""


def test_executed_copies_of_runs_stay_as_they_are(tmp_path: Path) -> None:
    made = Artifact(
        path="n.executed.ipynb", kind="notebook", size_bytes=1, md5="0" * 32, git="0" * 40, mode=0o100644
    )
    record = StageRecord(
        stage="n",
        fingerprint="0" * 64,
        run="01J8F3KQ2ZD000000000000000",
        commit="0" * 40,
        member="m@example.org",
        ended_at="2026-01-01T00:00:00Z",
        command="n.ipynb",
        runtime="none",
        artifacts=(made,),
    )
    root = repository(tmp_path / "r", a="a")
    (root / "lockgate.toml").write_text('[notebooks]\noutputs = "run copy only"\n')
    (root / "lockgate.lock").write_bytes(write_lock([record]))
    prepare(root)
    for name in ("n.ipynb", "n.executed.ipynb"):
        (root / name).write_text(notebook("a", count=1))
    commit(root, "both")
    assert git(root, "show", "HEAD:n.ipynb").decode() == notebook("a")
    assert git(root, "show", "HEAD:n.executed.ipynb").decode() == notebook("a", count=1)


def test_it_is_set_up_once_beside_settings_of_others_and_taken_out_whole(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "r")
    root = tmp_path / "r"
    (root / ".git" / "info" / "attributes").write_text("*.csv diff=csv")
    git(root, "config", "filter.own.clean", "cat")
    before = (root / ".git" / "config").read_bytes()
    assert prepare(root).note == ""
    places = root / ".git" / "config", root / ".git" / "info" / "attributes"
    first = [place.read_bytes() for place in places]
    assert prepare(root) == Prepared("keep", "keep")
    assert [place.read_bytes() for place in places] == first
    switch_off(root)
    prepare(root)
    left = (root / ".git" / "config").read_bytes()
    assert left.replace(b"[lockgate]\n\tnotebooksInGit = off\n", b"") == before
    assert (root / ".git" / "info" / "attributes").read_text() == "*.csv diff=csv\n"
    assert switch_on(root).is_on
    (root / ".gitattributes").write_text("*.ipynb filter=nbstripout\n")
    (root / ".git" / "info" / "attributes").unlink()
    (root / "lockgate.toml").write_text('[notebooks]\noutputs = "strip"\n')
    assert "filter=nbstripout" in prepare(root).note
    assert "filter=" not in (root / ".git" / "info" / "attributes").read_text()


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two members' clones of a project that kept outputs in git so far."""
    hub = tmp_path / "hub.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", hub], check=True)
    git(hub, "config", "receive.advertisePushOptions", "true")
    made = []
    for name in ("lead", "member"):
        git(tmp_path, "clone", "-q", "-o", "hub", str(hub), name)
        git(tmp_path / name, "config", "user.email", f"{name}@example.org")
        attempt(tmp_path / name, "switch", "-q", "-c", "main")
        made.append(tmp_path / name)
    lead, member = made
    (lead / "lockgate.toml").write_text('[project]\nname = "p"\n')
    for name in ("n.ipynb", "still.ipynb"):
        (lead / name).write_text(notebook("a", "b", "c", count=1))
    commit(lead, "first")
    git(lead, "push", "-q", "hub", "main")
    git(member, "pull", "-q", "hub", "main")
    return lead, member


def content(root: Path) -> dict[str, Any]:
    names = ("n.ipynb", "still.ipynb", "lockgate.toml")
    return {name: (root / name).read_bytes() for name in names} | {"head": git(root, "rev-parse", "HEAD")}


def test_a_policy_that_a_lead_changes_reaches_members_and_their_outputs_stay(two: tuple[Path, Path]) -> None:
    lead, member = two
    sync(lead)
    sync(member)
    (member / "n.ipynb").write_text(notebook("mine", "b", "c", count=5))
    before = content(member)
    os.utime(lead / "still.ipynb", (1, 1))
    git(lead, "status")
    (lead / "lockgate.toml").write_text('[project]\nname = "p"\n[notebooks]\noutputs = "strip"\n')
    (lead / "n.ipynb").write_text(notebook("a", "b", "lead's", count=9))
    done = sync(lead)
    assert done.notes == ("notebooks' outputs are kept out of git from now on; your files keep theirs",)
    assert git(lead, "log", "-1", "--format=%s").strip() == b"Keep outputs of notebooks out of git"
    assert git(lead, "show", "hub/main:still.ipynb").decode() == notebook("a", "b", "c")
    assert (lead / "still.ipynb").read_text() == notebook("a", "b", "c", count=1)

    done = sync(member)
    assert (done.conflicts, done.trouble, len(done.notes)) == ((), None, 1)
    assert git(member, "show", "hub/main:n.ipynb").decode() == notebook("mine", "b", "lead's")
    found = json.loads((member / "n.ipynb").read_text())
    assert [cell["execution_count"] for cell in found["cells"]] == [5, 5, None]
    assert sources((member / "still.ipynb").read_text()) == ["a", "b", "c"]
    for root in (lead, member):
        for path in root.glob("*.ipynb"):
            os.utime(path, (1, 1))
        assert git(root, "status", "--porcelain") == b""
    undo(member)
    assert content(member) == before


def test_outputs_that_a_plain_git_brought_leave_with_the_next_sync(two: tuple[Path, Path]) -> None:
    lead, member = two
    (lead / "lockgate.toml").write_text('[project]\nname = "p"\n[notebooks]\noutputs = "strip"\n')
    sync(lead)
    git(member, "pull", "-q", "hub", "main")
    (member / "n.ipynb").write_text(notebook("A", "b", "c", count=2))
    commit(member, "without Lockgate")
    git(member, "push", "-q", "hub", "main")
    done = sync(lead)
    assert (done.trouble, done.conflicts, done.changed) == (None, (), ("n.ipynb",))
    assert sources((lead / "n.ipynb").read_text()) == ["A", "b", "c"]
    (lead / "n.ipynb").write_text(notebook("A", "B", "c", count=3))
    sync(lead)
    assert git(lead, "show", "hub/main:n.ipynb").decode() == notebook("A", "B", "c")
    sync(member)
    assert git(member, "status", "--porcelain") == b""


def test_outputs_that_a_clone_committed_before_its_first_sync_are_told_of(two: tuple[Path, Path]) -> None:
    lead, member = two
    (lead / "lockgate.toml").write_text('[project]\nname = "p"\n[notebooks]\noutputs = "strip"\n')
    sync(lead)
    git(member, "pull", "-q", "hub", "main")
    assert unsent_outputs(member, "strip") == ()
    for number in range(2):
        (member / 'ü "n.ipynb').write_text(notebook(str(number), count=1))
        commit(member, "with outputs")
    (member / "broken.ipynb").write_text("no notebook")
    commit(member, "broken")
    found = unsent_outputs(member, "strip")
    assert [each.path for each in found] == ['ü "n.ipynb'] * 2
    assert unsent_outputs(member, "keep") == ()
    assert f"in 2 commits since {found[1].commit[:10]}" in before_sending(member, found)
    (note,) = sync(member).notes
    assert note == once_sent(found) and "in the hub's history now" in note
    assert git(member, "show", 'HEAD:ü "n.ipynb').decode() == notebook("1")
    assert (sync(member).notes, unsent_outputs(member, "strip")) == ((), ())


def test_nbdime_shows_differences_where_somebody_wants_it(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", n_ipynb=notebook("a", "b"))
    assert switch_on(root, is_nbdime=True).is_on
    prepare(root)
    (root / "n.ipynb").write_text(notebook("a", "changed"))
    assert b"## modified /cells/1/source" in git(root, "diff")
    switch_on(root)
    assert "\n+changed" in git(root, "diff").decode()


def test_without_nbdime_git_merges_by_line_and_never_makes_what_is_no_notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "nbdime", None)
    base, ours = notebook("a", "b", "c").encode(), notebook("A", "b", "c").encode()
    theirs = notebook("a", "b", "C").encode()
    assert merge.merge(base, ours, theirs) is None
    found = merge_driver.drive(base, ours, theirs)
    assert (sources(found.content.decode()), found.trouble) == (["A", "b", "C"], "")
    conflict = merge_driver.drive(base, ours, notebook("other", "b", "c").encode())
    assert b"<<<<<<< ours" in conflict.content and conflict.trouble
