"""What a run will take: time and memory of each stage, and of the whole, before anything is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from lockgate.project.pipeline import Resources
from lockgate.project.quantities import counted, duration_words, size_words
from lockgate.runs.cost import Expected
from lockgate.runs.sizing import (
    MEMORY_HEADROOM,
    WALLTIME_HEADROOM,
    Kind,
    amount_text,
    enough_memory,
    enough_walltime,
    next_size,
)

#: So many warnings are told one by one.
_WARNED_AT_MOST = 3


class StageForecast(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One stage of a run that is only asked about."""

    stage: str
    action: Literal["run", "maybe", "cached"]
    """`maybe`: what a stage before it makes decides."""
    reason: str
    backend: str
    resources: Resources
    """What it asks for."""
    expected: Expected | None = None
    """None: nothing is known, or it will not run."""
    warnings: tuple[str, ...] = ()


class RunForecast(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A whole run; times count each stage that runs or may run, with its median."""

    project: str
    commit: str
    runtime: str
    is_runtime_ready: bool
    """False: the runtime is built first, which takes time of its own."""
    seconds_at_once: float | None = None
    """The longest way through the graph: how long it takes where all that can runs at the same time."""
    seconds_in_turn: float | None = None
    """All jobs one after another."""
    memory_most_bytes: int | None = None
    """The most that one job was seen to hold."""
    unknown: tuple[str, ...] = ()
    """Stages that run or may run and of which no time is known."""
    stages: tuple[StageForecast, ...] = ()

    @property
    def is_nothing_to_do(self) -> bool:
        return all(stage.action == "cached" for stage in self.stages)


def ways(upstream: Mapping[str, Sequence[str]], seconds: Mapping[str, float]) -> tuple[float, float]:
    """Return how long stages take: the longest way through the graph, and all of them one after another.

    `upstream` names every stage after those it waits for; a stage that has no time counts nothing.
    """
    ends: dict[str, float] = {}
    for stage, above in upstream.items():
        begins = max([ends[other] for other in above if other in ends], default=0.0)
        ends[stage] = begins + seconds.get(stage, 0.0)
    return max(ends.values(), default=0.0), sum(seconds[stage] for stage in upstream if stage in seconds)


def warnings_of(
    resources: Resources, expected: Expected | None, where: Callable[[str], str]
) -> tuple[str, ...]:
    """Say where a stage asks for less than it needed before; `where` tells the line of a key of the stage."""
    if expected is None:
        return ()
    memory = _warning(
        "memory",
        resources.memory_bytes,
        expected.memory_most_bytes,
        expected.killed_at_bytes,
        expected,
        where,
    )
    walltime = _warning(
        "walltime",
        resources.walltime_s,
        expected.seconds_most,
        expected.killed_after_s,
        expected,
        where,
    )
    return tuple(words for words in (memory, walltime) if words)


def _warning(
    kind: Kind,
    asked: int | None,
    most: float | None,
    killed: float | None,
    expected: Expected,
    where: Callable[[str], str],
) -> str | None:
    if asked is None:
        return None
    words, headroom = (
        (size_words, MEMORY_HEADROOM) if kind == "memory" else (duration_words, WALLTIME_HEADROOM)
    )
    if most is not None and most > asked:
        others = " of other members" if expected.is_of_others else ""
        jobs = f"{counted(expected.job_count, 'earlier job')}{others}"
        was = f"took {words(most)} at most in {jobs}: it will be killed"
        amount = enough_memory(most) if kind == "memory" else enough_walltime(most)
    elif killed is not None and killed * headroom > asked:  # so that no offer is warned of
        was = f"was killed at {words(killed)} the last time"
        amount = next_size(kind, [most] if most else [], killed, asked) or asked
    else:
        return None
    of = " of memory" if kind == "memory" else ""
    return f"asks for {words(asked)}{of}; {was}; ask for {amount_text(kind, amount)} ({where(kind)})"


def forecast_lines(found: RunForecast) -> tuple[str, ...]:
    """Return the few lines of a receipt: the whole in one, and what is likely to go wrong."""
    if found.is_nothing_to_do:
        return ()
    lines = [f"forecast: {whole(found)}"]
    warned = [f"{stage.stage} {words}" for stage in found.stages for words in stage.warnings]
    lines += [f"careful: {words}" for words in warned[:_WARNED_AT_MOST]]
    if len(warned) > _WARNED_AT_MOST:
        lines.append(f"careful: {len(warned) - _WARNED_AT_MOST} more such: lockgate run --dry-run")
    return tuple(lines)


def whole(found: RunForecast) -> str:
    """Return how long the run takes and how much memory, in words."""
    if found.seconds_at_once is None or found.seconds_in_turn is None:
        return "no earlier run to go by"
    at_once, in_turn = duration_words(found.seconds_at_once), duration_words(found.seconds_in_turn)
    words = f"about {at_once}" if at_once == in_turn else f"about {at_once} at once, {in_turn} in turn"
    if found.memory_most_bytes is not None:
        words += f", {size_words(found.memory_most_bytes)} a job at most"
    if found.unknown:
        rest = ", ".join(found.unknown) if len(found.unknown) <= 2 else counted(len(found.unknown), "stage")
        words += f"; and {rest}, of which no time is known"
    return words
