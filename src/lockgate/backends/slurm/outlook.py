"""How a partition is, and when a job may start, in words. Pure."""

from __future__ import annotations

import datetime

from lockgate.project.quantities import counted

#: State and reason at the end: a reason is anybody's text.
SINFO_FORMAT = "%R|%a|%C|%D|%T|%E"

#: What `sinfo` may put behind a state (sinfo(1), "NODE STATE CODES"), and states that need no word.
_MARKS = "*~#!%$@^-+"
_WELL = {"idle", "mixed", "allocated", "completing", "planned", "mix", "alloc", "comp", "plnd"}


def partition_words(answer: str) -> dict[str, str]:
    """Read `sinfo --noheader --format=SINFO_FORMAT`; return partition → its free cpus and the nodes that are
    not well, in words."""
    free: dict[str, int] = {}
    total: dict[str, int] = {}
    ill: dict[str, list[str]] = {}
    for line in answer.splitlines():
        fields = line.split("|", 5)
        cpus = fields[2].split("/") if len(fields) == 6 else []
        if len(cpus) != 4 or not all(each.isdecimal() for each in cpus) or not fields[3].isdecimal():
            continue
        name, availability, _, nodes, state, reason = fields
        free[name] = free.get(name, 0) + int(cpus[1])
        total[name] = total.get(name, 0) + int(cpus[3])
        words = ill.setdefault(name, [] if availability == "up" else [f"it is {availability}"])
        plain = state.rstrip(_MARKS)
        if plain not in _WELL:
            why = "" if reason in ("none", "") else f" ({reason})"
            words.append(f"{counted(int(nodes), 'node')} {plain}{why}")
    return {
        name: f"partition {name}: " + ", ".join([f"{free[name]} of {total[name]} cpus free", *ill[name]])
        for name in free
    }


def start_words(start_at: float | None) -> str:
    if start_at is None:
        return ""
    when = datetime.datetime.fromtimestamp(start_at, datetime.UTC)
    return f"Slurm expects to start it at {when:%Y-%m-%d %H:%M} UTC"
