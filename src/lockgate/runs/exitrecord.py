"""How a job ended, on disk: the raw `exit` that job.sh leaves, and `exit.json` made of it."""

from __future__ import annotations

import os
import re
import signal
import stat

import msgspec

from lockgate.errors import OutsideError
from lockgate.runs.job import ExitRecord

RAW, FINAL, PID = "exit", "exit.json", "pid"

_TIME = re.compile(rb"(\d+)m(\d+(?:[.,]\d+)?)s")
_SIGNALS = frozenset(int(number) for number in signal.valid_signals())
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ExitRecord).decode


class Raw(msgspec.Struct, frozen=True):
    """What job.sh wrote when its command had ended."""

    code: int
    cpu_time_s: float | None


def parse_raw(text: bytes) -> Raw | None:
    """Read `exit`: the code, then what `times` prints (POSIX.1-2017, XCU 2.14 times); None: not complete."""
    lines = text.split(b"\n")
    if len(lines) < 4 or not lines[0].isdigit():
        return None
    times = [int(minutes) * 60 + float(s.replace(b",", b".")) for minutes, s in _TIME.findall(text)]
    return Raw(int(lines[0]), round(sum(times), 6) if len(times) == 4 else None)


def read_raw(folder: str) -> ExitRecord | None:
    """Return how the job in this folder ended by its own record; None: no complete record (yet).

    A shell tells a signal as 128 + its number; times are those of `pid` and `exit`.
    """
    try:
        with open(f"{folder}/{RAW}", "rb", buffering=0) as file:  # noqa: PTH123
            raw = parse_raw(file.read(4096))
            ended_at = os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    if raw is None:
        return None
    number = raw.code - 128
    is_signal = number in _SIGNALS
    started_at = started(folder)
    return ExitRecord(
        code=None if is_signal else raw.code,
        signal=number if is_signal else None,
        started_at=started_at,
        ended_at=ended_at if started_at is None else max(started_at, ended_at),
        cpu_time_s=raw.cpu_time_s,
    )


def has_raw(folder: str) -> bool:
    """Return whether the job in this folder has begun to write its own record, at its end."""
    return os.path.exists(f"{folder}/{RAW}")  # noqa: PTH110


def started(folder: str) -> float | None:
    """Return when the job started, in seconds since the epoch; None: it has not."""
    try:
        return os.stat(f"{folder}/{PID}").st_mtime  # noqa: PTH116
    except OSError:
        return None


def write(folder: str, record: ExitRecord) -> None:
    """Write `exit.json`; where it tells more than the raw record, a reader sees all of it or nothing.

    Raises `OutsideError` (`job-record`) when the disk refuses; trying again later may help.
    """
    final = f"{folder}/{FINAL}"
    try:
        try:
            _write(final, record)
        except PermissionError:
            # A job can take the right to write to its folder from the hub's owner, who would wait for ever
            os.chmod(folder, os.stat(folder).st_mode | stat.S_IRWXU)  # noqa: PTH101, PTH116
            _write(final, record)
    except OSError as error:
        raise OutsideError(
            f"{final} could not be written: {error.strerror}",
            "Make room on that disk, or give it back; the record is written then.",
            code="job-record",
            is_transient=True,
        ) from None


def _write(final: str, record: ExitRecord) -> None:
    draft = final if record.cause is None else f"{final}.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, _encode(record))
    finally:
        os.close(descriptor)
    if draft != final:
        os.rename(draft, final)  # noqa: PTH104


def read(folder: str) -> ExitRecord | None:
    """Return `exit.json`; None where there is none, or what a broken disk left of it."""
    try:
        with open(f"{folder}/{FINAL}", "rb", buffering=0) as file:  # noqa: PTH123
            return _decode(file.read())
    except (OSError, msgspec.DecodeError):
        return None
