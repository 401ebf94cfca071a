"""Imports as DVC writes them."""

from __future__ import annotations

import pytest

from lockgate.data.dataset_name import DatasetName, parse_dataset_name
from lockgate.data.imported import Origin, import_pointer, is_import, origin_of, renewed
from lockgate.data.output import Output
from lockgate.data.pointer import parse_pointer, write_pointer
from lockgate.errors import UserError

#: What DVC 3.67 wrote for `dvc import ../src d --rev v1`.
BY_DVC = """\
md5: 5d77757bc7f0707212e552d7e9691eb3
frozen: true
deps:
- path: d
  repo:
    url: ../src
    rev: v1
    rev_lock: 216ca8b518ff0f4d0a01fd639a89417a1fd59894
outs:
- md5: 562ee692a592790b08e880eff9046f72.dir
  size: 4
  nfiles: 2
  hash: md5
  path: d
"""
COMMIT = "216ca8b518ff0f4d0a01fd639a89417a1fd59894"


def test_what_dvc_wrote_is_read_and_written_byte_for_byte() -> None:
    pointer = parse_pointer(BY_DVC, "d.dvc")
    origin = origin_of(pointer)
    assert origin == Origin("../src", "d", COMMIT, "v1")
    assert import_pointer(pointer.outputs[0], origin) == pointer
    assert write_pointer(import_pointer(pointer.outputs[0], origin)) == BY_DVC
    assert is_import(BY_DVC)


def test_moved_to_another_version_it_keeps_what_is_said_of_it() -> None:
    text = BY_DVC + "  desc: Stations\n  remote: far\nmeta:\n  owner: ada\n"
    pointer = parse_pointer(text, "d.dvc")
    output = Output("d", "d15dbfcb847653913855e21370d83af1", 6)
    moved = renewed(pointer, output, Origin("../src", "small.csv", COMMIT))
    written = write_pointer(moved, text)
    assert "desc: Stations" in written and "owner: ada" in written and "remote: far" in written
    assert "rev: " not in written and "nfiles" not in written and "md5: d15dbfcb84" in written
    assert parse_pointer(written, "d.dvc") == moved
    # The remote is part of what DVC's digest is of, what is said is not
    assert moved.md5 != import_pointer(output, Origin("../src", "small.csv", COMMIT)).md5


@pytest.mark.parametrize(
    ("url", "project"),
    [
        ("/srv/hub/repositories/a.git", "a"),
        ("ssh://ana@login:2222/srv/hub/repositories/a.git", "a"),
        ("ssh://hub/a.git", "a"),
        ("git@hub:a.git", "a"),
        ("https://hub.example.org/lockgate/git/a.git", "a"),
        ("https://github.com/owner/a.git", None),
        ("git@github.com:owner/a.git", None),
        ("../src", None),
    ],
)
def test_a_hubs_project_is_known_by_its_address(url: str, project: str | None) -> None:
    assert Origin(url, "d", COMMIT).project == project


def test_where_it_comes_from_in_words() -> None:
    assert Origin("/h/repositories/a.git", "d/x", COMMIT, "v1").words == "hub://a/d/x@v1"
    assert Origin("/h/repositories/a.git", "d/x", COMMIT).words == "hub://a/d/x@216ca8b518"
    assert Origin("../src", "d", COMMIT, "v1").words == "d of ../src@v1"


def test_an_import_of_an_address_or_without_a_commit_has_no_origin() -> None:
    by_address = BY_DVC.replace(
        "- path: d\n  repo:\n    url: ../src\n    rev: v1\n", "- etag: e\n  path: u\n  x:\n"
    )
    assert origin_of(parse_pointer(by_address, "d.dvc")) is None
    without = BY_DVC.replace(f"    rev_lock: {COMMIT}\n", "")
    assert origin_of(parse_pointer(without, "d.dvc")) is None and not is_import(without)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hub://a/x.csv", DatasetName("a", "x.csv")),
        ("hub://a/d/ä b.csv@v1.0", DatasetName("a", "d/ä b.csv", "v1.0")),
        ("hub://a/d/@feature/x", DatasetName("a", "d", "feature/x")),
        ("hub://a/me@home/x@main", DatasetName("a", "me@home/x", "main")),
    ],
)
def test_a_name_is_read(text: str, name: DatasetName) -> None:
    assert parse_dataset_name(text) == name
    assert parse_dataset_name(name.words) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a/x",
        "hub://",
        "hub://a",
        "hub://a/",
        "hub:///x",
        "hub://a/../x",
        "hub://a//x",
        "hub://a/x\ny",
        "http://a/x",
    ],
)
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_dataset_name(text)
    assert refused.value.code == "dataset-name"
