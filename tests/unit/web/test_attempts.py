from __future__ import annotations

import pytest

from lockgate.errors import UserError
from lockgate.web.attempts import FREE, Attempts


def test_a_few_mistakes_are_free_then_each_waits_longer() -> None:
    attempts = Attempts(60.0)
    for _ in range(FREE):
        attempts.begin("ada", 0.0)
    waits = []
    now = 0.0
    for _ in range(10):
        waits.append(attempts.wait_s("ada", now))
        now += waits[-1]
        attempts.begin("ada", now)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]


def test_one_too_early_is_told_how_long_and_does_not_count() -> None:
    attempts = Attempts(60.0)
    for _ in range(FREE + 1):
        attempts.begin("ada", 0.0) if attempts.wait_s("ada", 0.0) == 0 else attempts.begin("ada", 1.0)
    with pytest.raises(UserError) as caught:
        attempts.begin("ada", 1.5)
    assert (caught.value.code, "wait 2 s" in caught.value.message) == ("too-many-attempts", True)
    assert attempts.wait_s("ada", 3.0) == 0.0
    assert attempts.wait_s("bob", 1.5) == 0.0


def test_the_right_one_counts_everything_back() -> None:
    attempts = Attempts(60.0)
    for _ in range(FREE):
        attempts.begin("ada", 0.0)
    attempts.succeeded("ada")
    attempts.begin("ada", 0.0)
    assert attempts.wait_s("ada", 0.0) == 0.0


def test_what_is_kept_is_bounded() -> None:
    attempts = Attempts(60.0)
    for number in range(30_000):
        attempts.begin(str(number), 0.0)
    assert len(attempts._tallies) == 20_000
