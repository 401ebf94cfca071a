"""Run ids: ULIDs, which sort by the time they were made (https://github.com/ulid/spec)."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
#: So many characters at the end are shown where that is unambiguous.
SHOWN = 8


def encode_ulid(milliseconds: int, randomness: int) -> str:
    """Return the ULID of 48 bits of time (milliseconds since 1970) and 80 random bits."""
    value = (milliseconds & (1 << 48) - 1) << 80 | randomness & (1 << 80) - 1
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def new_run_id() -> str:
    return encode_ulid(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10)))


def is_run_id(text: str) -> bool:
    return len(text) == LENGTH and text[0] <= "7" and all(character in _ALPHABET for character in text)


def made_at(run: str) -> float:
    """Return when an id was made, by the clock of who made it: seconds since the epoch."""
    value = 0
    for character in run[:10]:
        value = value << 5 | _ALPHABET.index(character)
    return value / 1000


def short(run: str) -> str:
    return run[-SHOWN:]
