"""Sittings: what one person executed in one notebook without a long pause, told of as one."""

from __future__ import annotations

#: After so long without a cell, the next one begins another sitting.
PAUSE_S = 1_800.0
_DAY_S = 86_400


def is_one_sitting(at: float, other_at: float) -> bool:
    """Return whether two moments, seconds since the epoch, lie so close; none goes on past midnight, UTC."""
    return abs(at - other_at) <= PAUSE_S and at // _DAY_S == other_at // _DAY_S
