"""How often somebody guesses: each wrong answer makes the next one wait longer."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from lockgate.errors import UserError

#: So many wrong answers are free, as a person mistypes.
FREE = 5
_KEPT = 20_000


class _Tally(msgspec.Struct, frozen=True):
    count: int
    last_at: float


class Attempts:
    """The wrong answers of late, by account and by address. Times: seconds of any one clock.

    An attempt counts as wrong when it begins, so that a thousand at once do not all slip through.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()

    def wait_s(self, key: str, now: float) -> float:
        """Return how long this one has still to wait; 0: not at all."""
        tally = self._tallies.get(key)
        if tally is None:
            return 0.0
        return max(0.0, tally.last_at + self._pause_s(tally.count) - now)

    def begin(self, key: str, now: float) -> None:
        """Count an attempt. Raises `UserError` (`too-many-attempts`) where it comes too early."""
        wait_s = self.wait_s(key, now)
        if wait_s > 0:
            raise UserError(
                f"too many wrong attempts: wait {max(1, round(wait_s))} s",
                "A lead or operator can give a new password: lockgate hub member password NAME.",
                code="too-many-attempts",
            )
        count = self._count(key, now)
        self._tallies[key] = _Tally(count + 1, now)
        self._tallies.move_to_end(key)
        while len(self._tallies) > _KEPT:
            self._tallies.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget what was counted: it was the right one."""
        self._tallies.pop(key, None)

    def _count(self, key: str, now: float) -> int:
        """One that has kept still for long begins anew."""
        tally = self._tallies.get(key)
        if tally is None or now - tally.last_at > 4 * self._longest_s:
            return 0
        return tally.count

    def _pause_s(self, count: int) -> float:
        return 0.0 if count < FREE else min(self._longest_s, float(2 ** min(count - FREE, 20)))
