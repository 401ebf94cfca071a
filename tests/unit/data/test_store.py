"""The store keeps bytes under their digest, whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from lockgate.data.digest import Listed, folder_listing, md5_of
from lockgate.data.store import Store
from lockgate.errors import OutsideError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def files(store: Store) -> list[str]:
    return sorted(str(p.relative_to(store.folder)) for p in store.folder.rglob("*") if p.is_file())


def test_dvcs_layout(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"a")
    md5 = md5_of(b"a")
    assert not store.has(md5)
    store.put(source, md5)
    assert files(store) == ["files/md5/0c/c175b9c0f1b6a831c399e269772661"]
    assert store.read(md5) == b"a"
    assert stat.S_IMODE(store.path(md5).stat().st_mode) == 0o444
    source.write_bytes(b"b")
    assert store.check(md5)


def test_bytes_and_listings(store: Store) -> None:
    assert store.put_bytes(b"x") == md5_of(b"x")
    rows = (Listed(md5_of(b"x"), "f"),)
    listing = folder_listing(rows)
    md5 = store.put_listing(listing)
    assert md5 == md5_of(listing) + ".dir"
    assert store.path(md5).name.endswith(".dir")
    assert store.listing(md5) == rows
    assert store.check(md5)


def test_what_is_there_is_not_written_again(store: Store, tmp_path: Path) -> None:
    md5 = store.put_bytes(b"x")
    before = store.path(md5).stat()
    store.put_bytes(b"x")
    store.put(tmp_path / "not there", md5)
    assert store.path(md5).stat() == before


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_any_size_is_copied_whole(store: Store, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(content)
    store.put(tmp_path / "source", md5_of(content))
    assert store.read(md5_of(content)) == content


@pytest.mark.parametrize("error", [errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP])
def test_where_the_kernel_does_not_copy_it_is_done_by_hand(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    (tmp_path / "source").write_bytes(b"content")
    store.put(tmp_path / "source", md5_of(b"content"))
    assert store.read(md5_of(b"content")) == b"content"


def test_a_full_disk_leaves_nothing_behind(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    (tmp_path / "source").write_bytes(b"content")
    with pytest.raises(OutsideError, match="No space left") as caught:
        store.put(tmp_path / "source", md5_of(b"content"))
    assert (caught.value.code, caught.value.is_transient) == ("store-unwritable", True)
    assert files(store) == []


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(OutsideError) as caught:
        Store(tmp_path / "store").put_bytes(b"x")
    assert caught.value.code == "store-unwritable"


def test_what_is_missing_is_told(store: Store) -> None:
    for ask in (store.read, store.require, store.listing):
        with pytest.raises(OutsideError, match="is not in the store") as caught:
            ask("0" * 32)
        assert caught.value.code == "store-missing"
    assert not store.check("0" * 32)


def test_a_damaged_object_is_noticed(store: Store) -> None:
    md5 = store.put_bytes(b"x")
    store.path(md5).chmod(0o644)
    store.path(md5).write_bytes(b"y")
    assert not store.check(md5)
