"""A clone on another machine has the project's data from the hub, with no remote of DVC's anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from data_place import add_data, forget, hub_store, store_of
from e2e_place import Place, WorkTree

LARGE = os.urandom(3_000_000)


def project(place: Place) -> WorkTree:
    tree = place.project({"lockgate.toml": '[stages.s]\nrun = "cat x > o"\nneeds = ["x"]\nmakes = ["o"]\n'})
    tree.write({"x": "small\n", "large.bin": LARGE})
    tree.write({f"many/{n % 3}/ä {n}.txt": f"text {n}\n" for n in range(100)})
    for path in ("x", "large.bin", "many"):
        add_data(tree, path)
    tree.commit()
    tree.lockgate("hub", "send")
    tree.push("-o", "skip", "main")
    return tree


def content(tree: WorkTree) -> dict[str, bytes]:
    paths = [tree.path / "x", tree.path / "large.bin", *(tree.path / "many").rglob("*.txt")]
    return {path.relative_to(tree.path).as_posix(): path.read_bytes() for path in paths}


def on_hub(tree: WorkTree, path: str) -> Path:
    pointer = tree.read(f"{path}.dvc")
    return hub_store(tree).path(pointer.partition("md5: ")[2].split()[0])


def test_a_clone_elsewhere_has_the_same_bytes(place: Place) -> None:
    tree = project(place)
    other = place.clone("other", "other@example.org")
    assert "100 files placed" in other.lockgate("data", "get").out
    assert content(other) == content(tree)
    assert other.lockgate("data", "status").out == tree.lockgate("data", "status").out
    # Nothing lies about that a break would have left
    assert list((other.path / ".dvc/cache/tmp").iterdir()) == []


def test_a_plain_clone_is_told_how_to_name_its_hub(place: Place) -> None:
    tree = project(place)
    other = place.clone("other", "other@example.org")
    other.git("remote", "rename", "hub", "origin")
    said = other.lockgate("data", "get", code=3).err
    assert "no remote `hub` to ask" in said
    assert "git remote rename origin hub" in said
    other.lockgate("init")
    assert other.git("remote", "get-url", "hub") == other.git("remote", "get-url", "origin")
    other.lockgate("data", "get")
    assert content(other) == content(tree)


def test_what_came_before_a_break_is_gone_on_with_or_begun_anew_where_it_is_wrong(place: Place) -> None:
    tree = project(place)
    other = place.clone("other", "other@example.org")
    md5 = on_hub(tree, "large.bin")
    name = md5.parent.name + md5.name
    parts = other.path / ".dvc/cache/tmp"
    parts.mkdir(parents=True)
    (parts / f"{name}.part").write_bytes(LARGE[:2_000_000])
    other.lockgate("data", "get", "large.bin")
    assert (other.path / "large.bin").read_bytes() == LARGE

    (other.path / "large.bin").unlink()
    forget(other)
    parts.mkdir(parents=True)
    (parts / f"{name}.part").write_bytes(b"\0" * 2_000_000)
    other.lockgate("data", "get", "large.bin")
    assert (other.path / "large.bin").read_bytes() == LARGE


def test_what_the_hub_lacks_or_has_wrongly_is_named_and_the_rest_comes(place: Place) -> None:
    tree = project(place)
    other = place.clone("other", "other@example.org")
    (other.path / "x").write_text("mine\n")
    damaged = on_hub(tree, "large.bin")
    damaged.chmod(0o644)
    damaged.write_bytes(b"\1" + LARGE[1:])
    said = other.lockgate("data", "get", "large.bin", "many", code=2).err
    assert damaged.parent.name + damaged.name in said and "data-damaged" in said
    assert not other.has("large.bin") and len(content_of(other, "many")) == 100

    damaged.unlink()
    said = other.lockgate("data", "get", "large.bin", code=3).err
    assert "large.bin" in said and "lockgate hub send" in said and "data-missing" in said
    assert other.read("x") == "mine\n"


def content_of(tree: WorkTree, folder: str) -> list[Path]:
    return [path for path in (tree.path / folder).rglob("*") if path.is_file()]


def test_a_remote_that_is_away_does_not_matter_where_the_hub_has_it(place: Place) -> None:
    tree = project(place)
    tree.write({".dvc/config": "[core]\n    remote = gone\n['remote \"gone\"']\n    url = /nowhere/at/all\n"})
    tree.commit()
    tree.push("-o", "skip", "main")
    other = place.clone("other", "other@example.org")
    other.lockgate("data", "get")
    assert content(other) == content(tree)


def test_a_full_disk_is_told_of_and_nothing_is_half_there(place: Place, tmp_path: Path) -> None:
    tree = project(place)
    other = place.clone("other", "other@example.org")
    small = other.path / ".dvc" / "cache"
    small.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=False).returncode:
        pytest.skip("NOT TESTED: a full disk; mounting one needs root")
    try:
        said = other.lockgate("data", "get", "large.bin", code=3).err
        assert "No space left on device" in said and "store-unwritable" in said
        assert not other.has("large.bin")
    finally:
        subprocess.run(["umount", small], check=True)
    shutil.rmtree(small)
    other.lockgate("data", "get")
    assert content(other) == content(tree)
    assert store_of(other).check(store_name(on_hub(tree, "large.bin")))


def store_name(path: Path) -> str:
    return path.parent.name + path.name
