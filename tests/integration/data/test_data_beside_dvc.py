"""The real DVC reads what we write, and we read what it wrote: same pointers, same store, same listing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from data_repository import commit, git
from dvc_program import Dvc

from lockgate.data.add import add
from lockgate.data.catalogued import find_dataset
from lockgate.data.clone import Clone, open_clone
from lockgate.data.describe import Change, describe
from lockgate.data.get import get
from lockgate.data.pointed import find_outputs
from lockgate.data.status import standing
from lockgate.data.verify import verify
from lockgate.errors import UserError

Files = Callable[[dict[str, str | bytes]], None]
DvcAt = Callable[[Path], Dvc]

DATA: dict[str, str | bytes] = {
    "data/raw/a.csv": "1,2\n",
    "data/raw/sub/b.bin": bytes(range(256)),
    "data/raw/ü [odd] #name!.txt": "odd\r\n",
    "data/raw/empty": "",
    "table.csv": "a\r\nb\r\n",
    "123": "digits",
    "a very long name with many words in it " * 3 + ".csv": "long",
    "d": "short",
}
PATHS = [path for path in DATA if not path.startswith("data/")] + ["data/raw"]


def written(root: Path) -> dict[str, bytes]:
    """Return pointers, ignore files and the store."""
    found = {}
    for file in root.rglob("*"):
        name = str(file.relative_to(root))
        kept = name.endswith((".dvc", ".gitignore", ".dvcignore", "config")) or name.startswith(".dvc/cache")
        if file.is_file() and kept and not name.startswith((".git/", ".site")):
            found[name] = file.read_bytes()
    return found


def test_both_write_the_same_bytes(tmp_path: Path, dvc_at: DvcAt) -> None:
    results = []
    for name in ("theirs", "ours"):
        root = tmp_path / name
        for path, content in DATA.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        (root / "run.sh").write_text("#!/bin/sh\n")
        (root / "run.sh").chmod(0o755)
        (root / "nothing").mkdir()
        git(root, "init", "-q")
        paths = [*PATHS, "run.sh", "nothing"]
        if name == "theirs":
            dvc = dvc_at(root)
            dvc("init", "-q")
            dvc("add", "-q", *paths)
        else:
            add(open_clone(str(root)), paths)
        results.append(written(root))
    assert results[0] == results[1]


def test_dvc_works_on_what_we_wrote(root: Path, clone: Clone, files: Files, dvc_at: DvcAt) -> None:
    dvc = dvc_at(root)
    files(DATA)
    add(clone, PATHS)
    first = commit(root)
    assert "up to date" in dvc("status")
    files({"data/raw/a.csv": "3,4\n", "data/raw/new": "n"})
    assert "modified" in dvc("status")
    add(clone, ["data/raw"])
    commit(root)
    assert "up to date" in dvc("status")
    git(root, "checkout", "-q", first)
    dvc("checkout", "-q")
    assert (root / "data/raw/a.csv").read_bytes() == b"1,2\n"
    assert not (root / "data/raw/new").exists()
    assert {each.word for each in standing(clone)} == {"unchanged"}


def test_we_work_on_what_dvc_wrote(root: Path, files: Files, dvc_at: DvcAt) -> None:
    dvc = dvc_at(root)
    dvc("init", "-q")
    dvc("config", "cache.type", "hardlink,symlink")
    files({**DATA, ".dvcignore": "*.tmp\n", "data/raw/x.tmp": "left out"})
    dvc("add", "-q", *PATHS)
    first = commit(root)
    clone = open_clone(str(root))
    assert clone.link_kinds == ("hardlink", "symlink", "copy")
    assert {each.word for each in standing(clone)} == {"unchanged"}
    files({"data/raw/a.csv": "3,4\n"})
    dvc("add", "-q", "data/raw")
    commit(root)
    git(root, "checkout", "-q", first)
    get(clone, find_outputs(clone))
    assert (root / "data/raw/a.csv").read_bytes() == b"1,2\n"
    assert (root / "data/raw/x.tmp").read_bytes() == b"left out"
    assert "up to date" in dvc("status")
    assert not verify(clone).faults


def test_a_description_and_a_working_folder_stay(root: Path, files: Files, dvc_at: DvcAt) -> None:
    dvc = dvc_at(root)
    dvc("init", "-q")
    files({"data/x.csv": "1"})
    dvc("add", "-q", "data/x.csv")
    pointer = (root / "data/x.csv.dvc").read_text()
    (root / "data/x.csv.dvc").unlink()
    (root / "pointers").mkdir()
    text = "# ours\nwdir: ../data\n" + pointer + "  desc: a survey\n  labels: [a, b]\n"
    (root / "pointers/x.dvc").write_text(text)
    clone = open_clone(str(root))
    assert [(each.path, each.file) for each in find_outputs(clone)] == [("data/x.csv", "pointers/x.dvc")]
    files({"data/x.csv": "22"})
    add(clone, ["data/x.csv"])
    ours = (root / "pointers/x.dvc").read_text()
    (root / "pointers/x.dvc").write_text(text)
    dvc("commit", "-q", "-f", "pointers/x.dvc")
    assert ours == (root / "pointers/x.dvc").read_text()
    assert "# ours" in ours
    assert "up to date" in dvc("status")


@pytest.mark.parametrize(
    "pattern", ["*.log", "/data/sub", "sub/", "data/**/x.log", "!keep.log\n*.log\n!keep.log"]
)
def test_the_same_files_are_left_out(root: Path, files: Files, dvc_at: DvcAt, pattern: str) -> None:
    dvc = dvc_at(root)
    dvc("init", "-q")
    files({f"data/{path}": path for path in ("a", "x.log", "sub/b", "sub/x.log", "deep/sub/c", "keep.log")})
    (root / ".dvcignore").write_text(pattern + "\n")
    dvc("add", "-q", "data")
    theirs = (root / "data.dvc").read_bytes()
    (root / "data.dvc").unlink()
    add(open_clone(str(root)), ["data"])
    assert (root / "data.dvc").read_bytes() == theirs


def test_a_pointer_of_dvc_2_is_told(root: Path, clone: Clone, files: Files, dvc_at: DvcAt) -> None:
    """Its md5 is that of the text with `\\n` ends, its objects lie in another layout."""
    dvc = dvc_at(root)
    dvc("init", "-q")
    files({"old.csv": "a\r\nb\r\n"})
    md5 = hashlib.md5(b"a\nb\n").hexdigest()
    (root / "old.csv.dvc").write_text(f"outs:\n- md5: {md5}\n  size: 6\n  path: old.csv\n")
    assert "modified" not in dvc("status")
    with pytest.raises(UserError) as caught:
        get(clone, find_outputs(clone))
    assert caught.value.code == "data-legacy"
    assert standing(clone)[0].word == "legacy"
    add(clone, ["old.csv"])
    assert "hash: md5" in (root / "old.csv.dvc").read_text()
    assert "up to date" in dvc("status")


@pytest.mark.parametrize("word", ["x\udcff", "a\x1b[31mb", "a\0"], ids=["no text", "escape", "nul"])
def test_what_no_pointer_can_hold_is_not_said_of_data(
    root: Path, clone: Clone, files: Files, word: str
) -> None:
    files({"table.csv": "a,b\n1,2\n"})
    add(clone, ["table.csv"])
    pointer = (root / "table.csv.dvc").read_bytes()
    for change in (Change(text=word), Change(fields={"owner": word}), Change(columns={word: "one"})):
        with pytest.raises(UserError, match="is no text") as caught:
            describe(clone, "table.csv", change)
        assert caught.value.code == "description-invalid"
    assert (root / "table.csv.dvc").read_bytes() == pointer
    describe(clone, "table.csv", Change(text="zwei\nZeilen 日本 👩‍🔬"))
    assert find_outputs(clone)


def test_a_described_pointer_is_one_to_dvc_and_keeps_what_is_said(
    root: Path, clone: Clone, files: Files, dvc_at: DvcAt
) -> None:
    files({"table.csv": "a,b\n1,2\n"})
    add(clone, ["table.csv"])
    change = Change(
        text="Two columns",
        fields={"owner": "ada", "licence": "CC0-1.0"},
        add_labels=("small",),
        columns={"a": "one"},
    )
    describe(clone, "table.csv", change)
    dvc = dvc_at(root)
    if not (root / ".dvc" / "config").exists():
        (root / ".dvc" / "config").touch()
    assert "up to date" in dvc("status")
    files({"table.csv": "a,b\n1,2\n3,4\n"})
    dvc("add", "-q", "table.csv")
    found = find_dataset(clone, "table.csv")
    assert (found.description.text, found.description.owner) == ("Two columns", "ada")
    assert found.description.labels == ("small",) and found.description.columns == {"a": "one"}
    files({"table.csv": "a,b\n"})
    add(clone, ["table.csv"])
    assert find_dataset(clone, "table.csv").description == found.description
