"""How much to ask for: sizes that would have done, as round numbers.

A job that was killed tells only that it needs more. Where jobs of the same stage went well with more than it
was given, the most of them is enough; else what was asked for is doubled. First asking little, then the most
ever seen, is the strategy of Tovar et al., "A Job Sizing Strategy for High-Throughput Scientific Workflows",
IEEE Transactions on Parallel and Distributed Systems 29 (2), 2018.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from lockgate.project.quantities import counted, duration_words, size_words
from lockgate.runs.cost import Cost

#: Above the most that was seen: peaks are sampled, and a run on a busier host takes longer.
MEMORY_HEADROOM, WALLTIME_HEADROOM = 1.2, 1.5

_MANTISSAS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
_SIZE_UNITS = ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB"))
_DURATIONS_S = (
    *(10, 20, 30, 45),
    *(minutes * 60 for minutes in (1, 2, 3, 5, 10, 15, 20, 30, 45)),
    *(hours * 3600 for hours in (1, 2, 3, 4, 6, 8, 12, 16)),
    *(days * 86400 for days in (1, 2, 3, 5, 7, 10, 14, 21, 30)),
)
_DAY_S = 86400

_PLAIN = re.compile(r"[\w.]+(?: [\w.]+)+", re.ASCII)

Kind = Literal["memory", "walltime"]


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask for instead, and how to say so once."""

    kind: Kind
    amount: int
    """Bytes or seconds."""
    text: str
    """The amount as `lockgate.toml` and the command line take it."""
    why: str
    """What it rests on, in words."""
    command: str
    """What to type to run the stage once with it."""


def round_memory(size_bytes: float) -> int:
    """Return the least round size that is not less: 1, 1.5, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten."""
    power = 10**6
    while True:
        for mantissa in _MANTISSAS:
            if mantissa * power >= size_bytes:
                return int(mantissa * power)
        power *= 10


def round_walltime(seconds: float) -> int:
    """Return the least round duration that is not less; above 30 days, whole days."""
    found = next((each for each in _DURATIONS_S if each >= seconds), None)
    return found if found is not None else -int(-seconds // _DAY_S) * _DAY_S


def memory_text(size_bytes: int) -> str:
    """Return a round size as a project's file takes it: `1.5 GB`."""
    unit, name = next((each for each in _SIZE_UNITS if each[0] <= size_bytes), _SIZE_UNITS[-1])
    return f"{size_bytes / unit:g} {name}"


def walltime_text(seconds: int) -> str:
    """Return a round duration as a project's file takes it: `30 min`."""
    for unit, name in ((_DAY_S, "d"), (3600, "h"), (60, "min")):
        if seconds % unit == 0 and seconds:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def amount_text(kind: Kind, amount: int) -> str:
    return memory_text(amount) if kind == "memory" else walltime_text(amount)


def enough_memory(peak_bytes: float) -> int:
    """Return what to ask for where this is the most memory that jobs were seen to hold."""
    return round_memory(peak_bytes * MEMORY_HEADROOM)


def enough_walltime(seconds: float) -> int:
    """Return what to ask for where this is the longest that jobs took."""
    return round_walltime(seconds * WALLTIME_HEADROOM)


def next_size(kind: Kind, known: Sequence[float], reached: float | None, asked: int | None) -> int | None:
    """Return what to ask for after a job was killed for want of this; None where nothing is known to go by.

    `known` is what jobs held or took that went well, `reached` what this one did when it was killed.
    """
    floor = max(reached or 0, asked or 0)
    enough, rounded = (enough_memory, round_memory) if kind == "memory" else (enough_walltime, round_walltime)
    most = max(known, default=0)
    if most > floor:
        return enough(most)
    return max(enough(reached or 0), rounded(2 * (asked or reached or 0))) if floor else None


def offer(
    kind: Kind,
    stage: str,
    *,
    reached: float | None,
    asked: int | None,
    earlier: Sequence[Cost],
    params: Mapping[str, str],
    backend: str | None,
) -> Offer | None:
    """Return what a stage that was killed is to be run with; None where nothing is known of its size.

    `earlier` are the latest jobs of the stage and of its matrix; `params` and `backend` those of the run. For
    the others see `next_size`.
    """
    good = [cost for cost in earlier if cost.ending == "succeeded"]
    of_good = [cost.peak_memory_bytes if kind == "memory" else cost.seconds for cost in good]
    known = [amount for amount in of_good if amount is not None]
    amount = next_size(kind, known, reached, asked)
    if amount is None:
        return None
    more = [each for each in known if each > max(reached or 0, asked or 0)]
    if more:
        shown = size_words(max(more)) if kind == "memory" else duration_words(max(more))
        verb = "needed" if kind == "memory" else "took"
        why = f"{len(more)} of {counted(len(known), 'such job')} {verb} up to {shown}"
    else:
        why = "no such job is known to have needed more" if known else "no such job went well yet"
    text = amount_text(kind, amount)
    words = ["lockgate", "run", stage, f"--{kind}", text]
    words += [word for name, value in params.items() for word in ("-p", f"{name}={value}")]
    words += ["--on", backend] if backend else []
    return Offer(kind=kind, amount=amount, text=text, why=why, command=" ".join(map(_typed, words)))


def _typed(word: str) -> str:
    """Quote a word for a shell, where that is enough in double quotes: they are what people type."""
    return f'"{word}"' if _PLAIN.fullmatch(word) else shlex.quote(word)
