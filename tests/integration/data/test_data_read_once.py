"""An object that was read whole is placed again without being read, until something speaks against it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from data_repository import commit, git

from lockgate.data import whole
from lockgate.data.add import add
from lockgate.data.clone import Clone, open_clone
from lockgate.data.digest import md5_of
from lockgate.data.get import get
from lockgate.data.pointed import find_outputs
from lockgate.errors import OutsideError

SIZE = 8 << 20
VERSIONS = [bytes([n]) * SIZE for n in range(2)]


def read_bytes(work: Callable[[], object]) -> int:
    """Return how many bytes this process read meanwhile (proc_pid_io(5), rchar)."""

    def rchar() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = rchar()
    work()
    return rchar() - before


@pytest.fixture
def clone(root: Path) -> Clone:
    """Two versions of one file, each got once."""
    if not Path("/proc/self/io").exists():
        pytest.skip("NOT TESTED: what is read, for want of /proc/self/io")
    for number, content in enumerate(VERSIONS):
        (root / "d").unlink(missing_ok=True)
        (root / "d").write_bytes(content)
        add(open_clone(str(root)), ["d"])
        commit(root)
        git(root, "tag", f"v{number}")
    made = open_clone(str(root))
    for number in (0, 1):
        place(made, number)
    return made


def place(clone: Clone, number: int) -> None:
    git(Path(clone.root), "checkout", "-q", f"v{number}")
    get(clone, find_outputs(clone))
    assert (Path(clone.root) / "d").read_bytes() == VERSIONS[number]


def got(clone: Clone, number: int) -> int:
    git(Path(clone.root), "checkout", "-q", f"v{number}")
    return read_bytes(lambda: get(clone, find_outputs(clone)))


def test_it_is_read_once_a_month_and_whenever_it_changed(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert got(clone, 0) < SIZE / 4
    monkeypatch.setattr(whole, "TRUSTED_S", -1)
    assert got(clone, 1) >= SIZE
    monkeypatch.undo()
    place(clone, 1)

    damaged = Path(clone.object_path(md5_of(VERSIONS[0])))
    damaged.chmod(0o644)
    with damaged.open("r+b") as file:
        file.write(b"!")
    damaged.chmod(0o444)
    git(Path(clone.root), "checkout", "-q", "v0")
    with pytest.raises(OutsideError, match="damaged"):
        get(clone, find_outputs(clone))
    assert (Path(clone.root) / "d").read_bytes() == VERSIONS[1]


def test_what_is_remembered_may_be_lost_or_damaged(clone: Clone) -> None:
    remembered = Path(clone.git_dir) / "lockgate/store-state"
    kept = remembered.read_bytes()
    for content in (None, b"", kept[:-1], kept[:30] + b"!" + kept[31:]):
        remembered.unlink()
        if content is not None:
            remembered.write_bytes(content)
        place(clone, 0)
        os.utime(clone.object_path(md5_of(VERSIONS[1])))
        place(clone, 1)
