"""Sizes and durations as people write them: `100 MB`, `1 d 2 h`."""

from __future__ import annotations

_PREFIXES = ("", "k", "m", "g", "t", "p")
_SIZE = r"(?i)\s*(\d{1,15}(?:\.\d{1,9})?)\s*(?:([kmgtp]?)(i?)b)\s*"
_SECONDS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "seconds": 1,
    "min": 60,
    "minute": 60,
    "minutes": 60,
    "h": 3600,
    "hour": 3600,
    "hours": 3600,
    "d": 86400,
    "day": 86400,
    "days": 86400,
}
_DURATION_PART = r"(?i)\s*(\d{1,12}(?:\.\d{1,9})?)\s*([a-z]+)\s*"


def parse_size(text: str) -> int | None:
    """Return bytes: `4 GB` is 4·10⁹, `4 GiB` is 4·2³⁰, part bytes rounded up; None when it is no size."""
    import re  # noqa: PLC0415  (10 ms, which whoever only writes words does not pay)

    found = re.fullmatch(_SIZE, text)
    if not found:
        return None
    number, prefix, binary = found[1], found[2].lower(), found[3]
    if binary and not prefix:
        return None
    whole, _, part = number.partition(".")
    factor: int = (1024 if binary else 1000) ** _PREFIXES.index(prefix)
    scale = int("1" + "0" * len(part))
    return -(-int(whole + part) * factor // scale)


def parse_duration(text: str) -> int | None:
    """Return seconds, rounded up: `90 s`, `10 min`, `2 h`, `1 d 2 h`; None when it is no duration."""
    import re  # noqa: PLC0415  (as above)

    part_form = re.compile(_DURATION_PART)
    total, at, used = 0, 0, set[int]()
    while at < len(text):
        found = part_form.match(text, at)
        seconds = _SECONDS.get(found[2].lower()) if found else None
        if not found or seconds is None or seconds in used:
            return None
        used.add(seconds)
        whole, _, part = found[1].partition(".")
        total += int(whole + part) * seconds * 10 ** (9 - len(part))
        at = found.end()
    return -(-total // 10**9) if used else None


def duration_words(seconds: float) -> str:
    """Return a duration as a person reads it: `0.2 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size_words(size_bytes: float) -> str:
    """Return a size as a person reads it, in decimal units: `512 bytes`, `1.2 GB`."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        size_bytes /= 1000
        if size_bytes < 999.5:
            return f"{size_bytes:.0f} {unit}" if size_bytes >= 99.95 else f"{size_bytes:.1f} {unit}"
    return f"{size_bytes / 1000:.1f} TB"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, as `1 stage`, `1,000 stages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
