"""What the latest jobs of a stage cost, and what the next one is expected to cost from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

from lockgate.runs.record import StageRecord

_Number = TypeVar("_Number", int, float)

#: So many jobs are kept of a stage, and so many of all the members of a matrix together.
KEPT = 12


class Cost(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One job: how it ended, how long it took, and the most memory it was seen to hold. None: not known."""

    stage: str
    run: str
    ending: Literal["succeeded", "memory", "walltime"] = "succeeded"
    """`memory`, `walltime`: it was killed for want of that, and would have needed more."""
    seconds: float | None = None
    peak_memory_bytes: int | None = None


class Expected(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a job is expected to cost. None: not known."""

    job_count: int = 0
    """How many jobs that went well it rests on."""
    is_of_others: bool = False
    """It rests on other members of the matrix, since this one never went well."""
    seconds: float | None = None
    seconds_most: float | None = None
    memory_bytes: int | None = None
    memory_most_bytes: int | None = None
    killed_at_bytes: int | None = None
    """The stage was killed for want of memory when it held so much, and has not gone well since."""
    killed_after_s: float | None = None
    """The same for its walltime."""


def shared_name(stage: str) -> str | None:
    """Return the name under which a matrix's members are kept together; None: the stage is no member."""
    group, at, _ = stage.partition("@")
    return group + at if at else None


def names_of(stage: str) -> tuple[str, ...]:
    """Return the names under which a stage's jobs are kept: its own, and its matrix's."""
    shared = shared_name(stage)
    return (stage,) if shared is None else (stage, shared)


def cost_of(record: StageRecord) -> Cost:
    return Cost(
        record.stage, record.run, seconds=record.duration_s, peak_memory_bytes=record.peak_memory_bytes
    )


def remember(kept: Mapping[str, Sequence[Cost]], costs: Sequence[Cost]) -> dict[str, tuple[Cost, ...]]:
    """Return what is kept under each name, the newest first, after more jobs, told of in their order.

    A job told of twice is kept once.
    """
    newest: dict[str, list[Cost]] = {}
    for cost in reversed(costs):
        for name in names_of(cost.stage):
            newest.setdefault(name, []).append(cost)
    return {
        name: _each_once([*newest.get(name, ()), *kept.get(name, ())])
        for name in dict.fromkeys([*kept, *newest])
    }


def _each_once(costs: Sequence[Cost]) -> tuple[Cost, ...]:
    first: dict[tuple[str, str], Cost] = {}
    for cost in costs:
        first.setdefault((cost.stage, cost.run), cost)
        if len(first) == KEPT:
            break
    return tuple(first.values())


def expect(own: Sequence[Cost], members: Sequence[Cost] = ()) -> Expected | None:
    """Return what the next job of a stage will cost: the median of those that went well, and the most.

    `own` are the stage's latest jobs, the newest first; `members` those of its whole matrix, which count only
    while none of its own went well: members differ more from each other than a member from run to run.
    None: there is nothing to go by.
    """
    kills = _kills_since_success(own)
    good = [cost for cost in own if cost.ending == "succeeded"]
    is_of_others = not good
    if is_of_others:
        good = [cost for cost in members if cost.ending == "succeeded"]
    if not good and not kills:
        return None
    seconds = [cost.seconds for cost in good if cost.seconds is not None]
    peaks = [cost.peak_memory_bytes for cost in good if cost.peak_memory_bytes is not None]
    return Expected(
        job_count=len(good),
        is_of_others=is_of_others and bool(good),
        seconds=_median(seconds),
        seconds_most=max(seconds, default=None),
        memory_bytes=_median(peaks),
        memory_most_bytes=max(peaks, default=None),
        killed_at_bytes=max(
            (cost.peak_memory_bytes or 0 for cost in kills if cost.ending == "memory"), default=None
        ),
        killed_after_s=max(
            (cost.seconds or 0.0 for cost in kills if cost.ending == "walltime"), default=None
        ),
    )


def _median(values: list[_Number]) -> _Number | None:
    """The upper one of two in the middle. The module `statistics` takes longer to import than a hook may."""
    return sorted(values)[len(values) // 2] if values else None


def _kills_since_success(own: Sequence[Cost]) -> list[Cost]:
    kills = []
    for cost in own:
        if cost.ending == "succeeded":
            break
        kills.append(cost)
    return kills
