"""What was carried back is put in place, whole, once, and nowhere else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from lockgate.backends.htcondor.description import PARCEL
from lockgate.backends.htcondor.parcel import open_parcel
from lockgate.errors import OutsideError


def job(folder: Path) -> Path:
    (folder / "workspace/old").mkdir(parents=True)
    (folder / "workspace/old/in").write_text("in")
    (folder / "workspace/old").chmod(0o500)
    return folder


def pack(folder: Path, **files: str) -> None:
    with tarfile.open(folder / PARCEL, "w") as tar:
        for name, text in {"workspace/out": "made", "exit": "0\n", "pid": "7\n"}.items() | files.items():
            entry = tarfile.TarInfo(name.replace("__", "/"))
            entry.size, entry.mtime, entry.mode = len(text), 1_000_000_000, 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))


def test_the_workspace_is_the_workers_and_times_are_kept(tmp_path: Path) -> None:
    folder = job(tmp_path)
    pack(folder)
    open_parcel(str(folder))
    assert (folder / "workspace/out").read_text() == "made"
    assert not (folder / "workspace/old").exists()
    assert (folder / "pid").stat().st_mtime == 1_000_000_000
    assert sorted(each.name for each in folder.iterdir()) == ["exit", "pid", "workspace"]


def test_twice_is_once(tmp_path: Path) -> None:
    folder = job(tmp_path)
    pack(folder)
    open_parcel(str(folder))
    open_parcel(str(folder))
    assert (folder / "workspace/out").read_text() == "made"


def test_cut_short_it_is_begun_again(tmp_path: Path) -> None:
    folder = job(tmp_path)
    pack(folder)
    (folder / ".htcondor.open/workspace").mkdir(parents=True)
    (folder / ".htcondor.open/workspace/half").write_text("h")
    (folder / "workspace").rename(folder / ".htcondor.before")
    open_parcel(str(folder))
    assert sorted(each.name for each in (folder / "workspace").iterdir()) == ["out"]
    assert not (folder / ".htcondor.before").exists()


def test_notes_of_a_turn_cut_short_are_replaced(tmp_path: Path) -> None:
    folder = job(tmp_path)
    pack(folder, observed__calls="new")
    (folder / "observed").mkdir()
    (folder / "observed/calls").write_text("half")
    open_parcel(str(folder))
    assert (folder / "observed/calls").read_text() == "new"


def test_nothing_lands_outside(tmp_path: Path) -> None:
    folder = job(tmp_path / "job")
    pack(folder, **{"..__outside": "x"})
    with pytest.raises(OutsideError) as caught:
        open_parcel(str(folder))
    assert caught.value.code == "htcondor-parcel"
    assert not (tmp_path / "outside").exists()


def test_a_broken_parcel_is_told(tmp_path: Path) -> None:
    folder = job(tmp_path)
    pack(folder, workspace__big="x" * 100_000)
    whole = (folder / PARCEL).read_bytes()
    (folder / PARCEL).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OutsideError) as caught:
        open_parcel(str(folder))
    assert caught.value.code == "htcondor-parcel"
    assert (folder / "workspace/old/in").exists()
