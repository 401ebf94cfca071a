"""A batch system that a lead describes in `lockgate.toml`: commands and regular expressions, checked."""

from __future__ import annotations

import difflib
import itertools
import re
import shlex
from collections.abc import Collection, Mapping
from typing import Literal, cast

import msgspec

from lockgate.project.quantities import parse_duration

Cause = Literal["memory", "walltime", "cancelled", "vanished"]
Path = tuple[str, ...]

KEYS = (
    "submit",
    "submitted",
    "status",
    "line",
    "skip",
    "pending",
    "running",
    "ended",
    "causes",
    "cancel",
    "find",
    "with_memory",
    "with_walltime",
    "with_gpus",
    "array",
    "refused",
    "down",
    "gone",
    "separator",
    "environment",
    "timeout",
    "interval",
)
ARRAY_KEYS = ("submit", "variable", "id", "first", "limit")
CAUSES = ("memory", "walltime", "cancelled", "vanished")

ALWAYS = ("name", "script", "folder", "cpus", "gpus")
OF_MEMORY = ("memory_bytes", "memory_kb", "memory_mb", "memory_gb", "memory_kib", "memory_mib", "memory_gib")
OF_WALLTIME = ("walltime", "walltime_s", "walltime_min", "walltime_h")
PIECES = ("with_memory", "with_walltime", "with_gpus")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

#: What batch systems print when their server cannot be reached.
DOWN = (
    r"(?i)(unable|failed) to (connect|contact|reach|communicate)|could not (connect|contact|reach)"
    r"|can(not| not|'t) (connect|contact|reach)|connection (refused|reset|timed out)|not respond"
    r"|timed? ?out|temporarily|try again|unreachable|no route to host|communication (error|failure)"
)
_SHELLS = ("sh", "bash", "dash", "ksh", "zsh")
_LONGEST = 10_000


class TableError(Exception):
    """A key of the table that cannot be meant."""

    def __init__(self, path: Path, message: str, hint: str, code: str = "manifest-invalid") -> None:
        super().__init__(message)
        self.path = path
        """Below `[batch.NAME]`."""
        self.message = message
        self.hint = hint
        self.code = code


class ArrayDescription(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs are submitted by one command."""

    submit: str
    variable: str
    """The variable that tells a job its number."""
    id: str = "{id}_{index}"
    """The native id of one job of the array."""
    first: int = 1
    limit: int = 1000


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[batch.NAME]` of a described system; commands are templates, patterns compile."""

    name: str
    submit: str
    submitted: str
    status: str
    line: str
    skip: str | None = None
    pending: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    causes: dict[str, Cause] = {}
    cancel: str
    find: str | None = None
    with_memory: str | None = None
    with_walltime: str | None = None
    with_gpus: str | None = None
    array: ArrayDescription | None = None
    refused: str | None = None
    down: str = DOWN
    gone: str | None = None
    separator: str = " "
    environment: dict[str, str] = {}
    timeout_s: int = 60
    interval_s: int = 5

    def piece(self, name: str) -> str:
        """Return the text of `with_memory`, `with_walltime` or `with_gpus`; empty where there is none."""
        return cast("str | None", getattr(self, name)) or ""

    def uses(self, placeholders: Collection[str]) -> bool:
        """Return whether any of these stands in a submission."""
        commands = [self.submit, self.array.submit if self.array else "", *map(self.piece, PIECES)]
        return any(word in placeholders for text in commands for word in PLACEHOLDER.findall(text))


def is_described(table: Mapping[str, object]) -> bool:
    """Return whether a table `[batch.NAME]` describes a batch system rather than setting options of one."""
    return "submit" in table


def mistake(name: str, table: Mapping[str, object]) -> TableError | None:
    """Return what is wrong with the table `[batch.NAME]`, its name in the message; None: nothing, or it
    describes no batch system."""
    try:
        if is_described(table):
            parse_description(name, table)
    except TableError as problem:
        message = f"[batch.{name}]: {problem.message}"
        return TableError(problem.path, message, problem.hint, problem.code)
    return None


def parse_description(name: str, table: Mapping[str, object]) -> Description:
    """Read the table `[batch.NAME]`; raises `TableError` for what cannot be meant."""
    _known(table, KEYS, ())
    for key in ("submitted", "status", "line", "cancel"):
        if key not in table:
            raise TableError(
                (),
                f"{key} is missing",
                f"Add it, see the keys of a batch system of your own: {', '.join(KEYS)}.",
            )
    pieces = {
        key: _command(table, (key,), (*ALWAYS, *OF_MEMORY, *OF_WALLTIME)) for key in PIECES if key in table
    }
    for key, text in pieces.items():
        if not PLACEHOLDER.search(text):
            raise TableError((key,), f"{key} holds no placeholder", "Put in how much, as {memory_mb}.")
    array = _read_array(table, pieces) if "array" in table else None
    states = {key: _texts(table, (key,)) for key in ("pending", "running", "ended") if key in table}
    causes = _read_causes(table)
    _check_states({**states, "causes": tuple(causes)})
    status = _command(table, ("status",), ("ids",))
    line = _pattern(
        table, "line", needed=("id", "state"), known=("id", "state", "name", "reason", "code", "signal")
    )
    find = _command(table, ("find",), ("names",), needed=("names",)) if "find" in table else None
    if find is not None and "(?P<name>" not in line:
        raise TableError(("find",), "find needs the group `name` in line", "Write (?P<name>…) into line.")
    return Description(
        name=name,
        submit=_submission(table, ("submit",), pieces, ()),
        submitted=_pattern(table, "submitted", needed=("id",), known=("id",)),
        status=status,
        line=line,
        skip=_pattern(table, "skip") if "skip" in table else None,
        pending=states.get("pending", ()),
        running=states.get("running", ()),
        ended=states.get("ended", ()),
        causes=causes,
        cancel=_read_cancel(table),
        find=find,
        with_memory=pieces.get("with_memory"),
        with_walltime=pieces.get("with_walltime"),
        with_gpus=pieces.get("with_gpus"),
        array=array,
        refused=_pattern(table, "refused") if "refused" in table else None,
        down=_pattern(table, "down") if "down" in table else DOWN,
        gone=_pattern(table, "gone") if "gone" in table else None,
        separator=_separator(table) if "separator" in table else " ",
        environment=_read_environment(table),
        timeout_s=_duration(table, "timeout") if "timeout" in table else 60,
        interval_s=_duration(table, "interval") if "interval" in table else 5,
    )


def _known(table: Mapping[str, object], keys: Collection[str], path: Path) -> None:
    for key in table:
        if key not in keys:
            close = difflib.get_close_matches(key[:100], keys, n=1)
            hint = f'Did you mean "{close[0]}"?' if close else f"Known here: {', '.join(keys)}."
            raise TableError((*path, key), f'unknown key "{key[:60]}"', hint, "manifest-unknown-key")


def _text(table: Mapping[str, object], path: Path) -> str:
    value = table[path[-1]]
    what = ".".join(path)
    if not isinstance(value, str):
        raise TableError(path, f"{what} is not text in quotes", "Write it in quotes.")
    if not value.strip() or "\0" in value or len(value) > _LONGEST:
        said = "is empty" if not value.strip() else "cannot be meant: it is too long or has a NUL in it"
        raise TableError(path, f"{what} {said}", "Fill it in, or remove the line.")
    return value


def _texts(table: Mapping[str, object], path: Path) -> tuple[str, ...]:
    value = table[path[-1]]
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise TableError(path, f"{path[-1]} is not a list of words", f'Write {path[-1]} = ["Q", "H"].')
    return tuple(cast("list[str]", value))


def _duration(table: Mapping[str, object], key: str) -> int:
    value = table[key]
    seconds = parse_duration(value) if isinstance(value, str) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= 86400:
        raise TableError(
            (key,), f"{key} is not a duration from 1 s to 1 d", 'Write it as "30 s" or a number of seconds.'
        )
    return seconds


def _separator(table: Mapping[str, object]) -> str:
    value = table["separator"]
    if not isinstance(value, str) or not 1 <= len(value) <= 10 or "\0" in value:
        raise TableError(("separator",), "separator is not a short text", 'Write it as separator = ",".')
    return value


def _pattern(
    table: Mapping[str, object],
    key: str,
    *,
    needed: Collection[str] = (),
    known: Collection[str] | None = None,
) -> str:
    text = _text(table, (key,))
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as problem:
        raise TableError(
            (key,),
            f"{key} is no regular expression: {problem}",
            "Write it in single quotes, so that TOML leaves backslashes alone, as Python's re has them.",
        ) from None
    groups = pattern.groupindex
    for group in needed:
        if group not in groups:
            raise TableError((key,), f"{key} has no group `{group}`", f"Write (?P<{group}>…) around it.")
    for group in groups:
        if known is not None and group not in known:
            raise TableError(
                (key,),
                f"{key} has a group `{group}`, which means nothing",
                f"Known here: {', '.join(known)}.",
            )
    return text


def words_of(template: str) -> list[str]:
    """Split a command as a POSIX shell splits words; raises `ValueError` for a quotation without an end."""
    return shlex.split(template)


def _command(
    table: Mapping[str, object], path: Path, known: Collection[str], *, needed: Collection[str] = ()
) -> str:
    text, what = _text(table, path), ".".join(path)
    for word in PLACEHOLDER.findall(text):
        if word not in known:
            shown = ", ".join(f"{{{name}}}" for name in known)
            raise TableError(path, f"{what} has an unknown placeholder {{{word}}}", f"Known here: {shown}.")
    if needed and not any(f"{{{word}}}" in text for word in needed):
        shown = " or ".join(f"{{{name}}}" for name in needed)
        raise TableError(path, f"{what} does not say where {shown} goes", f"Put {shown} into it.")
    try:
        words = words_of(text)
    except ValueError:
        raise TableError(
            path, f"{what} has a quotation mark without its partner", "Close the quotation."
        ) from None
    if path[-1] not in PIECES:
        _check_words(words, path, what)
    return text


def _check_words(words: list[str], path: Path, what: str) -> None:
    if not words or PLACEHOLDER.search(words[0]):
        raise TableError(path, f"{what} does not begin with a program", "Begin it with the program to call.")
    if words[0].rpartition("/")[2] in _SHELLS:
        for option, word in itertools.pairwise(words):
            if option.startswith("-") and option.endswith("c") and PLACEHOLDER.search(word):
                raise TableError(
                    path,
                    f"{what} has a placeholder in a shell's script, where a blank or a quote would break it",
                    """Pass it behind the script: sh -c 'qdel "$1"' sh {id}.""",
                )


def _submission(
    table: Mapping[str, object], path: Path, pieces: Mapping[str, str], more: tuple[str, ...]
) -> str:
    known = (*ALWAYS, *more, *OF_MEMORY, *OF_WALLTIME, *PIECES)
    text, what = _command(table, path, known, needed=("script",)), ".".join(path)
    for piece in PIECES:
        if f"{{{piece}}}" in text and piece not in pieces:
            raise TableError(path, f"{what} names {{{piece}}}, which is not there", f"Add a key {piece}.")
        if f"{{{piece}}}" not in text and piece in pieces:
            raise TableError((piece,), f"{piece} is never used", f"Put {{{piece}}} into {what}.")
    filled = PLACEHOLDER.sub(lambda found: pieces.get(found[1], found[0]), text)
    try:
        words = words_of(filled)
    except ValueError:
        raise TableError(
            path,
            f"{what}: its quotation marks do not fit those of {', '.join(pieces)}",
            "Close each of them.",
        ) from None
    _check_words(words, path, what)
    return text


def _read_cancel(table: Mapping[str, object]) -> str:
    text = _command(table, ("cancel",), ("ids", "id"), needed=("ids", "id"))
    if "{ids}" in text and "{id}" in text:
        raise TableError(
            ("cancel",), "cancel has both {ids} and {id}", "Keep one: all at once, or one by one."
        )
    return text


def _read_causes(table: Mapping[str, object]) -> dict[str, Cause]:
    value = table.get("causes", {})
    if not isinstance(value, dict):
        raise TableError(("causes",), "causes is not a table", 'Write causes = { TIMEOUT = "walltime" }.')
    for state, cause in value.items():
        if cause not in CAUSES:
            raise TableError(
                ("causes", state), f"causes.{state[:60]} is no cause", f"Known here: {', '.join(CAUSES)}."
            )
    return cast("dict[str, Cause]", value)


def _check_states(states: Mapping[str, Collection[str]]) -> None:
    if not states.get("running"):
        raise TableError(
            ("running",),
            "running is missing or empty",
            'Say which states mean a job that runs: running = ["R"].',
        )
    seen: dict[str, str] = {}
    for key, words in states.items():
        for word in words:
            other = seen.setdefault(word, key)
            if other != key and {other, key} != {"ended", "causes"}:
                raise TableError(
                    (key,), f'"{word[:60]}" is in {other} and in {key}', "A state means one thing: keep one."
                )


def _read_environment(table: Mapping[str, object]) -> dict[str, str]:
    value = table.get("environment", {})
    if not isinstance(value, dict):
        raise TableError(("environment",), "environment is not a table", 'Write environment = { A = "b" }.')
    for name, text in value.items():
        if not (name.isascii() and name.isidentifier()) or not isinstance(text, str) or "\0" in text:
            raise TableError(
                ("environment", name),
                f"environment.{name[:60]} cannot be a variable",
                "Give names of letters, digits and _, and values in quotes.",
            )
    return value


def _read_array(table: Mapping[str, object], pieces: Mapping[str, str]) -> ArrayDescription:
    value = table["array"]
    if not isinstance(value, dict):
        raise TableError(
            ("array",), "array is not a table", "Write it as [batch.NAME.array] with keys below."
        )
    array = cast("dict[str, object]", value)
    _known(array, ARRAY_KEYS, ("array",))
    for key in ("submit", "variable"):
        if key not in array:
            raise TableError(
                ("array",), f"array.{key} is missing", f"Add it; keys are {', '.join(ARRAY_KEYS)}."
            )
    submit = _submission(array, ("array", "submit"), pieces, ("first", "last", "count"))
    if "{last}" not in submit and "{count}" not in submit:
        raise TableError(
            ("array", "submit"),
            "array.submit does not say how many",
            "Put {first}-{last} or {count} into it.",
        )
    variable = _text(array, ("array", "variable"))
    if not (variable.isascii() and variable.isidentifier()):
        raise TableError(
            ("array", "variable"), "array.variable cannot be a variable", 'As "SLURM_ARRAY_TASK_ID".'
        )
    identity = _text(array, ("array", "id")) if "id" in array else "{id}_{index}"
    if set(PLACEHOLDER.findall(identity)) != {"id", "index"}:
        raise TableError(
            ("array", "id"), "array.id does not have {id} and {index}", 'Write it as "{id}[{index}]".'
        )
    numbers = {key: _number(array, key) for key in ("first", "limit") if key in array}
    return ArrayDescription(submit=submit, variable=variable, id=identity, **numbers)


def _number(array: Mapping[str, object], key: str) -> int:
    value, least = array[key], 0 if key == "first" else 1
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 1_000_000:
        raise TableError(
            ("array", key), f"array.{key} is not a whole number from {least} to 1000000", "Write a number."
        )
    return value
