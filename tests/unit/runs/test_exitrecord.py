"""The raw record of job.sh, and exit.json."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import OutsideError
from lockgate.runs import exitrecord
from lockgate.runs.exitrecord import Raw, parse_raw, read, read_raw, write
from lockgate.runs.job import ExitRecord

DASH = b"0m0.010000s 0m0.000000s\n1m2.500000s 0m0.020000s\n"
BASH = b"0m0.003s 0m0.002s\n0m0,001s 0m0,000s\n"


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        (b"0\n" + DASH, Raw(0, 62.53)),
        (b"3\n" + BASH, Raw(3, 0.006)),
        (b"3\nwhat\never\n", Raw(3, None)),
        (b"", None),
        (b"0", None),
        (b"0\n", None),
        (b"0\n0m0.01s 0m0.0s\n", None),
        (b"0\n" + DASH[:-1], None),
        (b"\n" + DASH, None),
        (b"-1\n" + DASH, None),
    ],
)
def test_parse(text: bytes, raw: Raw | None) -> None:
    assert parse_raw(text) == raw


@given(st.binary())
def test_any_bytes_are_parsed_or_not_complete(text: bytes) -> None:
    raw = parse_raw(text)
    assert raw is None or raw.code >= 0


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, (0, None)),
        (1, (1, None)),
        (128, (128, None)),
        (137, (None, 9)),
        (143, (None, 15)),
        (255, (255, None)),
    ],
)
def test_a_signal_is_told_from_a_code(
    tmp_path: Path, code: int, expected: tuple[int | None, int | None]
) -> None:
    (tmp_path / "exit").write_bytes(b"%d\n" % code + DASH)
    record = read_raw(str(tmp_path))
    assert record is not None and (record.code, record.signal) == expected
    assert record.is_success == (code == 0)


def test_times_are_those_of_the_files_and_never_run_backwards(tmp_path: Path) -> None:
    (tmp_path / "exit").write_bytes(b"0\n" + DASH)
    (tmp_path / "pid").write_bytes(b"1\n")
    os.utime(tmp_path / "pid", (100.0, 100.0))
    os.utime(tmp_path / "exit", (103.5, 103.5))
    record = read_raw(str(tmp_path))
    assert record is not None and (record.started_at, record.ended_at, record.cpu_time_s) == (
        100.0,
        103.5,
        62.53,
    )
    os.utime(tmp_path / "exit", (90.0, 90.0))
    record = read_raw(str(tmp_path))
    assert record is not None and (record.started_at, record.ended_at) == (100.0, 100.0)


@pytest.mark.parametrize("content", [None, b"", b"0\n"])
def test_no_record_yet(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "exit").write_bytes(content)
    assert read_raw(str(tmp_path)) is None


def test_written_and_read_back(tmp_path: Path) -> None:
    record = ExitRecord(signal=9, cause="memory", detail="killed at 1.2 GB, asked for 1.0 GB", started_at=1.5)
    assert read(str(tmp_path)) is None
    write(str(tmp_path), record)
    assert read(str(tmp_path)) == record
    write(str(tmp_path), ExitRecord(code=0))
    assert read(str(tmp_path)) == ExitRecord(code=0)
    assert [path.name for path in tmp_path.iterdir()] == ["exit.json"]


@pytest.mark.parametrize("text", [b"", b"{", b'{"code": "x"}', b"\xff"])
def test_what_a_broken_disk_left_is_no_record(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "exit.json").write_bytes(text)
    assert read(str(tmp_path)) is None


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    with pytest.raises(OutsideError) as caught:
        write(str(tmp_path / "gone"), ExitRecord())
    assert caught.value.code == "job-record" and caught.value.is_transient
    assert exitrecord.started(str(tmp_path / "gone")) is None


def test_a_folder_whose_owner_was_kept_from_writing(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    write(str(tmp_path), ExitRecord(code=0))
    assert read(str(tmp_path)) == ExitRecord(code=0)
