"""What `condor_q -better-analyze` says of jobs that wait, in words that fit behind a stage's name. Pure.

There is no machine form of it. Source: condor_q(1), "-better-analyze"; texts of 9.0 to 25.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SECTION = re.compile(r"^The Requirements expression for job (\d+)\.(\d+) is", re.MULTILINE)
_STEP = re.compile(r"^\[\d+\] +(\d+) +(\S.*)$", re.MULTILINE)
_SLOTS = re.compile(r"Of (\d+) (?:slots|machines)")
_ABLE = re.compile(
    r"^ *(\d+) (?:slots|machines) (?:match|are able) and are willing to run your job", re.MULTILINE
)
_ABLE_OLD = re.compile(r"^ *(\d+) (?:slots|machines)? ?are available to run your job", re.MULTILINE)
_SERVING = re.compile(r"^ *(\d+) (?:slots )?(?:match )?(?:but )?are serving", re.MULTILINE)
_REJECTING = re.compile(
    r"^ *(\d+) (?:slots )?reject your job because of their own requirements", re.MULTILINE
)
_ASKED = re.compile(r"^ *(Request\w+) = (.+)$", re.MULTILINE)
_COMPARED = re.compile(r"TARGET\.(\w+) >= (?:MY\.)?(Request\w+)")

_NOUNS = {"Cpus": "cpus", "Memory": "memory", "Disk": "disk", "GPUs": "gpus"}


def analysis_words(text: str) -> dict[str, str]:
    """Return by native id why each job that was analysed waits; one of which nothing is understood is left
    out."""
    words = {}
    heads = list(_SECTION.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        said = _section_words(text[head.end() : end])
        if said:
            words[f"{int(head[1])}.{int(head[2])}"] = said
    return words


def _section_words(text: str) -> str:
    slots = _number(_SLOTS, text)
    unmet = [condition.strip() for matched, condition in _STEP.findall(text) if matched == "0"]
    if slots == 0:
        return "waits: the pool has no slots at all now; are its workers up?"
    if unmet:
        asked = dict(_ASKED.findall(text))
        return f"waits: {_join([_unmet_words(condition, asked) for condition in unmet])}"
    able = _number(_ABLE, text) or _number(_ABLE_OLD, text)
    rejecting = _number(_REJECTING, text)
    if able:
        return f"waits for one of the {_slot_count(able)} that could run it, which other jobs use"
    if rejecting and rejecting == slots:
        return "waits: every slot's own policy (START) rejects it; are the workers being drained?"
    if _number(_SERVING, text):
        return "waits: the slots that fit it serve users of better priority"
    if slots:
        return f"waits: none of the {_slot_count(slots)} fits all that it requires together"
    return ""


def _unmet_words(condition: str, asked: dict[str, str]) -> str:
    compared = _COMPARED.fullmatch(condition)
    if compared:
        what = _NOUNS.get(compared[1], compared[1])
        amount = asked.get(compared[2], "").replace(" (mb)", " MiB").replace(" (kb)", " KiB")
        plain = amount if re.fullmatch(r"[\d.]+( [MK]iB)?", amount) else ""
        return f"no slot has {plain + ' ' if plain else 'the '}{what}{'' if plain else ' it asks for'}"
    if "FileSystemDomain" in condition:
        return (
            "no slot shares the access point's files (FILESYSTEM_DOMAIN); if that is so, set "
            "`transfer = true` in [batch.htcondor]"
        )
    if "HasFileTransfer" in condition:
        return "no slot can have files carried to it"
    return f"no slot satisfies {condition}"


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None


def _slot_count(number: int) -> str:
    return f"{number} slot" if number == 1 else f"{number} slots"


def _join(words: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(words))
