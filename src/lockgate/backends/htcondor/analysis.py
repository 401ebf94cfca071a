"""What `condor_q -better-analyze` says of jobs that wait, in words that fit behind a stage's name. Pure.

There is no machine form of it. Sources: condor_q(1), "-better-analyze"; texts of condor_q.V6/jobmatch.cpp.
"""

from __future__ import annotations

import re

_SECTION = re.compile(r"^The Requirements expression for job (\d+)\.(\d+) is", re.MULTILINE)
_STEP = re.compile(r"^\[\d+\] +(\d+) +(\S.*)$", re.MULTILINE)
_STEP_IF_DRAINED = re.compile(r"^\[\d+\] +(\d+) +(\d+) +(\S.*)$", re.MULTILINE)
_DRAINED_COLUMN = re.compile(r"^Step +Matched +Drained +Condition", re.MULTILINE)
_SLOTS = re.compile(r"Of (\d+) (?:slots|machines)")
_COUNTS = {
    "rejecting": re.compile(
        r"^ *(\d+) (?:slots )?reject your job because of their own requirements", re.MULTILINE
    ),
    "yours": re.compile(r"^ *(\d+) (?:slots )?(?:match and )?are already running your jobs", re.MULTILINE),
    "others": re.compile(r"^ *(\d+) (?:slots )?(?:match )?but are serving other users", re.MULTILINE),
    "better": re.compile(r"^ *(\d+) (?:slots )?(?:match )?but are serving users with a better", re.MULTILINE),
    "outranked": re.compile(r"^ *(\d+) slots match but current work outranks", re.MULTILINE),
    "offline": re.compile(r"^ *(\d+) slots match but are currently offline", re.MULTILINE),
    "willing": re.compile(r"^ *(\d+) slots match and are willing to run your job", re.MULTILINE),
    "drained": re.compile(r"^ *(\d+) slots would match if drained", re.MULTILINE),
}
_WORDS = {
    "willing": "waits for its turn: {} could run it",
    "drained": "waits for room: {} could run it once other jobs on it have ended",
    "others": "waits: {} that could run it serves other users",
    "better": "waits: {} that could run it serves users of better priority",
    "yours": "waits: {} that could run it runs jobs of the same owner",
    "outranked": "waits: {} that could run it prefers the job it has",
    "offline": "waits: {} that could run it is offline",
}
_ASKED = re.compile(r"^ *(Request\w+) = (.+)$", re.MULTILINE)
_COMPARED = re.compile(r"TARGET\.(\w+) >= (?:MY\.)?(Request\w+)")

_NOUNS = {"Cpus": "cpus", "Memory": "memory", "Disk": "disk", "GPUs": "gpus"}


def analysis_words(text: str) -> dict[str, str]:
    """Return by native id why each job that was analysed waits; one of which nothing is understood is left
    out."""
    words = {}
    heads = list(_SECTION.finditer(text))
    ends = [*(head.start() for head in heads), len(text)][1:]
    for head, end in zip(heads, ends, strict=True):
        said = _section_words(text[head.end() : end])
        if said:
            words[f"{int(head[1])}.{int(head[2])}"] = said
    return words


def _section_words(text: str) -> str:
    found = _SLOTS.search(text)
    if found is None:
        return ""
    slots = int(found[1])
    if slots == 0:
        return "waits: the pool has no slots at all now; are its workers up?"
    unmet = _unmet(text)
    if unmet:
        asked = dict(_ASKED.findall(text))
        return f"waits: {'; '.join(dict.fromkeys(_unmet_words(condition, asked) for condition in unmet))}"
    counts = {name: _number(pattern, text) for name, pattern in _COUNTS.items()}
    for name, words in _WORDS.items():
        if counts[name]:
            return words.format(_slot_count(counts[name]))
    if counts["rejecting"]:
        return "waits: no slot that fits takes jobs by its own policy (START); are the workers drained?"
    return "waits: no slot fits all that it requires together"


def _unmet(text: str) -> list[str]:
    """Return the conditions that no slot meets, not even with nothing running on it."""
    if _DRAINED_COLUMN.search(text):
        steps = _STEP_IF_DRAINED.findall(text)
        return [condition.strip() for now, drained, condition in steps if now == drained == "0"]
    return [condition.strip() for now, condition in _STEP.findall(text) if now == "0"]


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


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0


def _slot_count(number: int) -> str:
    return "a slot" if number == 1 else f"one of {number:,} slots"
