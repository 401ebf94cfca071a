"""Digests and listings are DVC's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.data.digest import Listed, folder_listing, md5_of, md5_of_file, parse_listing


def test_a_listing_is_written_as_dvc_writes_it() -> None:
    """The bytes DVC 3 keeps for a folder with `a.txt` (`a`) and `sub/ö.txt` (`b`)."""
    files = [Listed(md5_of(b"b"), "sub/ö.txt"), Listed(md5_of(b"a"), "a.txt")]
    listing = folder_listing(files)
    assert listing == (
        b'[{"md5": "0cc175b9c0f1b6a831c399e269772661", "relpath": "a.txt"}, '
        b'{"md5": "92eb5ffee6ae2fec3ad71c777531578f", "relpath": "sub/\\u00f6.txt"}]'
    )
    assert folder_listing([]) == b"[]"
    assert parse_listing(listing) == (files[1], files[0])


def test_a_folders_digest_is_what_dvc_add_gives_it() -> None:
    """As DVC 3.67.1 wrote `out.dvc` for these three files."""
    files = {"z.bin": b"z" * 100, "sub/a.bin": b"a", "sub/ö.bin": b"a"}
    listing = folder_listing(Listed(md5_of(content), path) for path, content in files.items())
    assert md5_of(listing) == "6c75f8dfd8deb2c69e9d74d55beb89ca"


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.binary(max_size=4)))
def test_listings_come_back(files: dict[str, bytes]) -> None:
    rows = {Listed(md5_of(content), path) for path, content in files.items()}
    assert set(parse_listing(folder_listing(rows))) == rows
    assert folder_listing(rows) == folder_listing(sorted(rows, key=lambda row: row.md5))


def test_damaged_listings_are_refused() -> None:
    for content in (b"", b"{}", b'[{"md5": 1}]', b"\xff"):
        with pytest.raises(msgspec.DecodeError):
            parse_listing(content)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "f").write_bytes(content[:size])
    assert md5_of_file(tmp_path / "f") == md5_of(content[:size]) == hashlib.md5(content[:size]).hexdigest()
