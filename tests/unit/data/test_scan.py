"""Looking at a folder once more tells what a look from the beginning tells."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.data.clone import open_clone
from lockgate.data.linking import digest_of
from lockgate.data.scan import differing, rescan, scan
from lockgate.data.state import Known
from lockgate.data.survey import survey
from lockgate.errors import UserError
from lockgate.git.program import git

_FOLDERS = ("", "a", "a/b", "a/b/c", "d")
_changes = st.tuples(
    st.sampled_from(("write", "remove file", "make folder", "remove folder", "file for folder")),
    st.sampled_from(_FOLDERS),
    st.sampled_from(("x", "y")),
)


def _change(top: Path, what: str, folder: str, name: str) -> None:
    place = top / folder
    if what == "write" and (place.is_dir() or not any(each.is_file() for each in (place, *place.parents))):
        place.mkdir(parents=True, exist_ok=True)
        file = place / name
        if not file.is_dir():
            file.write_text(f"{file.stat().st_size if file.exists() else 0} more")
    elif what == "remove file":
        if (place / name).is_file():
            (place / name).unlink()
    elif what == "make folder":
        if not any(each.is_file() for each in (place / name, place, *place.parents)):
            (place / name).mkdir(parents=True, exist_ok=True)
    elif folder and place.is_dir():
        shutil.rmtree(place)
        if what == "file for folder":
            place.write_text("no folder")


@given(st.lists(_changes, max_size=12), st.lists(_changes, max_size=6))
def test_looked_at_again_a_folder_is_as_it_is(
    before: list[tuple[str, str, str]], after: list[tuple[str, str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        for change in before:
            _change(top, *change)
        tree = scan(name)
        assert tree is not None
        assert differing(name, tree) == []
        for change in after:
            _change(top, *change)
        assert rescan(name, tree, differing(name, tree)) == scan(name)
        halves = {*differing(name, tree, 0, 2), *differing(name, tree, 1, 2)}
        assert rescan(name, tree, halves) == scan(name)


def test_a_link_in_the_place_of_a_folder_is_refused_as_ever(tmp_path: Path) -> None:
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "data/a/x").write_text("x")
    top = str(tmp_path / "data")
    tree = scan(top)
    assert tree is not None
    (tmp_path / "data/a").rename(tmp_path / "away")
    (tmp_path / "data/a").symlink_to(tmp_path / "away")
    with pytest.raises(UserError, match="leads to a folder"):
        rescan(top, tree, differing(top, tree))


def test_of_many_files_two_processes_find_what_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    for number in range(3200):
        place = tmp_path / f"data/{number % 40}/{number}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(str(number))
    clone = open_clone(str(tmp_path))
    first = survey(clone, "data", None, digest_of)
    assert first is not None
    known = Known("", "", first.tree, first.digests)
    assert survey(clone, "data", known, digest_of).is_as_known  # type: ignore[union-attr]
    (tmp_path / "data/7/7").write_text("another")
    shutil.rmtree(tmp_path / "data/8")
    (tmp_path / "data/new/below").mkdir(parents=True)
    (tmp_path / "data/new/below/x").write_text("x")
    again = survey(clone, "data", known, digest_of)
    afresh = survey(clone, "data", None, digest_of)
    assert again is not None
    assert afresh is not None
    assert again.files() == afresh.files()
    assert again.read_count == 2
    shutil.rmtree(tmp_path / "data")
    assert survey(clone, "data", known, digest_of) is None


def test_what_is_taken_away_meanwhile_is_not_there(tmp_path: Path) -> None:
    for name in ("data/a", "data/b", "data/sub/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    top = tmp_path / "data"

    def take_away(path: str) -> bool:
        if path == "b":
            (top / "b").unlink()
        elif path == "sub/":
            shutil.rmtree(top / "sub")
        return False

    before = scan(str(top))
    found = scan(str(top), take_away)
    assert before is not None
    assert found is not None
    assert {folder: names for folder, (names, _) in found.items()} == {"": ["a"]}
    (top / "b").write_text("x")
    assert set(rescan(str(top), before, [""], take_away)[""][0]) == {"a"}


def test_of_files_that_somebody_knows_unchanged_nothing_is_asked(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("x")
    before = scan(str(tmp_path))
    assert before is not None
    for name in ("a", "b", "new"):
        (tmp_path / name).write_text("longer")
    after = rescan(str(tmp_path), before, [""], None, {"b"})
    sizes = {name: after[""][1][3 * at + 1] for at, name in enumerate(after[""][0])}
    assert sizes == {"a": 1, "b": 6, "new": 6}
