"""Why a stage makes something else when it runs again: which trials to make, and what they tell."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import msgspec

Factor = Literal["time", "seed", "hash", "threads", "locale", "variables"]

#: What the verified run left, and what was made again: names beside those of trials.
RECORDED, MADE = "recorded", "made"
#: Trials that change nothing, then those that hold one thing. A trial's name is its factor, and a number.
AGAIN = ("again", "again.2")
_FIRST = (*AGAIN, "time", "seed", "hash", "threads", "locale", "other-locale", "variables")
_HELD = ("time", "seed", "hash", "threads")
_TIMES = 3

_NAMES = {
    "time": "time",
    "seed": "random numbers without a seed",
    "hash": "the order of sets or dictionaries (hash seed)",
    "threads": "threads (the order in which they come to their end)",
    "locale": "the locale",
    "other-locale": "the locale",
    "variables": "an undeclared environment variable",
    "all": "several of time, seed, hash seed and threads together",
}
_HOLDS = {
    "again": "nothing changed",
    "time": "the clock held",
    "seed": "random numbers seeded",
    "hash": "the hash seed held",
    "threads": "one thread at a time",
    "locale": "the locale C.UTF-8",
    "other-locale": "another locale",
    "variables": "no other environment variables",
    "all": "clock, seeds and threads held",
}


class Told(msgspec.Struct, frozen=True):
    """A factor that trials point to."""

    factor: str
    words: str
    is_certain: bool = False


class Search(msgspec.Struct, frozen=True):
    """Trials to be made before more can be told; none: what is told is all."""

    trials: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()


def factor_of(trial: str) -> str:
    """Return what a trial changes."""
    return trial.partition(".")[0]


def words_of(trial: str) -> str:
    """Return what a trial is, in words."""
    return f"trial: {_HOLDS[factor_of(trial)]}"


def search(tried: Collection[str], has: Callable[[str], bool], same: Callable[[str, str], bool]) -> Search:
    """Decide what to try next, or tell what trials point to.

    Parameters
    ----------
    tried
        The trials that were made, also those that failed.
    has
        Whether a trial left a result.
    same
        Whether two results agree: of trials, `RECORDED` and `MADE`.
    """
    if not tried:
        return Search(_FIRST)
    if not has("again"):
        return Search()
    if all(same(trial, MADE) for trial in AGAIN if has(trial)):
        return Search(told=_of_steady(has, same))
    if "all" not in tried:
        more = tuple(f"{factor}.{n}" for factor in _HELD for n in range(2, _TIMES + 1) if has(factor))
        return Search((*more, "all", "all.2", "all.3"))
    return Search(told=_of_unsteady(has, same))


def _of_steady(has: Callable[[str], bool], same: Callable[[str, str], bool]) -> tuple[Told, ...]:
    """It makes the same each time now, and made something else then: with what does that change?"""
    held = [trial for trial in _FIRST if trial not in AGAIN and has(trial)]
    back = [trial for trial in held if same(trial, RECORDED)]
    if back:
        return tuple(
            Told(
                _factor(trial), f"{_NAMES[trial]} (with {_then(trial)}, the recorded result comes out)", True
            )
            for trial in back
        )
    return tuple(
        Told(_factor(trial), f"{_NAMES[trial]} (with {_HOLDS[trial]}, another result comes out)")
        for trial in held
        if not same(trial, MADE)
    )


def _of_unsteady(has: Callable[[str], bool], same: Callable[[str, str], bool]) -> tuple[Told, ...]:
    """It makes something else each time: what must be held for it to be the same?"""

    def is_steady(factor: str) -> bool:
        names = [factor, *(f"{factor}.{n}" for n in range(2, _TIMES + 1))]
        return all(has(name) for name in names) and all(same(factor, name) for name in names[1:])

    found = [factor for factor in _HELD if is_steady(factor)]
    found = found or [factor for factor in ("all",) if is_steady(factor)]
    return tuple(
        Told(factor, f"{_NAMES[factor]} (three runs with {_HOLDS[factor]} are the same)") for factor in found
    )


def _then(trial: str) -> str:
    return "the clock held at the recorded run's" if trial == "time" else _HOLDS[trial]


def _factor(trial: str) -> str:
    return "locale" if trial == "other-locale" else trial
