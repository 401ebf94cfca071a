"""What a stage really used, told from the notes taken while it ran, beside what it declares."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from lockgate.project.globs import compile_glob, is_glob

#: So many of a kind are kept; a longer list would be read by nobody.
KEPT = 500
#: A file that appears and goes again here is nobody's data.
_TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/")
ENV, HOST = "env:", "host:"


class Use(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something a stage used and does not declare."""

    what: str
    """A path, in the project where it is not absolute; `env:NAME`; `host:ADDRESS:PORT` or `host:NAME`."""
    how: str
    """In words, as `read`, or `train.py:3, not set`."""


class Observation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one attempt of a stage used."""

    undeclared: tuple[Use, ...] = ()
    allowed: tuple[Use, ...] = ()
    """What it used undeclared and the project says it may."""
    read: tuple[str, ...] = ()
    """The inputs it opened, by their paths in the project."""
    unread: tuple[str, ...] = ()
    """Its needs of which it opened nothing."""
    variables: tuple[str, ...] = ()
    """Names of variables that Python read of its environment, in libraries too, but those a job is given."""
    visible: tuple[str, ...] = ()
    """Names of variables that it could have read, but those a job is given."""
    software_count: int = 0
    """How many files of the system and the runtime it opened."""
    unseen_count: int = 0
    """How many calls could not be looked into."""
    is_cut_short: bool = False
    """It was killed: what it did in the last half second is not told."""
    fault: str = ""
    """Why nothing was observed."""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage declares, and what there is besides."""

    needs: Sequence[str] | None
    """As declared; None: the whole repository."""
    placed: Collection[str]
    """The files in its workspace when it began."""
    known: Callable[[str], bool]
    """Whether a path is one of the project or is made by a stage."""
    makes: Sequence[str]
    given: Collection[str]
    """The variables that every job has."""
    allowed: Collection[str] = ()
    """What the project lets its stages use undeclared; `*` stands for anything."""


def observation(calls: bytes, variables: bytes, declared: Declared) -> Observation:
    """Read the notes of `runs.observer` and `runs.variable_reader`. Any bytes are taken: a stage can write
    there too, so what they say is no proof."""
    notes = _records(calls)
    workspace = next((text for kind, text in notes if kind == "c"), "") + "/"
    read, uses = _files(notes, workspace, declared)
    asked, variable_uses = _variables(_records(variables), declared)
    uses += variable_uses
    uses += [Use(HOST + text, "called") for kind, text in notes if kind == "h"]
    uses += [Use(HOST + text, "looked up") for kind, text in notes if kind == "n"]
    first: dict[str, Use] = {}
    for use in uses:
        first.setdefault(use.what, use)
    undeclared = left_over(first.values(), declared.allowed)
    visible = {text for kind, text in notes if kind == "p"} - set(declared.given)
    fault = next((text for kind, text in notes if kind == "!"), "" if calls else "it left no notes")
    return Observation(
        undeclared=undeclared[:KEPT],
        allowed=tuple(use for use in first.values() if use not in undeclared)[:KEPT],
        read=tuple(sorted(read))[:KEPT],
        unread=tuple(_unread(read, declared))[:KEPT] if not fault else (),
        variables=tuple(sorted(asked))[:KEPT],
        visible=tuple(sorted(visible))[:KEPT],
        software_count=_number(notes, "s"),
        unseen_count=_number(notes, "u"),
        is_cut_short=not fault and all(kind != "." for kind, _ in notes),
        fault=fault[:200],
    )


def left_over(uses: Iterable[Use], allowed: Collection[str]) -> tuple[Use, ...]:
    """Return the uses that the project does not allow; `*` in what it allows stands for anything."""
    return tuple(use for use in uses if not any(fnmatch.fnmatchcase(use.what, each) for each in allowed))


def in_words(use: Use) -> str:
    """Return what a stage did, as what follows its name in a sentence."""
    name = use.what.partition(":")[2]
    if use.what.startswith(ENV):
        return f"read the variable {name} ({use.how})"
    if use.what.startswith(HOST):
        return f"{use.how} {name}"
    if use.how == "written":
        return f"wrote {use.what}"
    return f"{use.how} {use.what}" if use.how == "read" else f"asked for {use.what}, which is not there"


def is_path_inside(what: str) -> bool:
    """Return whether a use is one of a file in the project, which can be declared as a need."""
    return not what.startswith(("/", ENV, HOST))


def need_takes(need: str, path: str) -> bool:
    """Return whether a need, be it a file, a folder or a pattern, takes this file."""
    if is_glob(need):
        return compile_glob(need)(path)
    return path == need or path.startswith(posixpath.join(need, ""))


def _records(notes: bytes) -> list[tuple[str, str]]:
    # Of a killed job the last record may be half there
    whole = notes.split(b"\0")[:-1]
    return [(text[:1], text[1:]) for text in (each.decode("utf-8", "backslashreplace") for each in whole)]


def _number(notes: Iterable[tuple[str, str]], wanted: str) -> int:
    return next((int(text[:9]) for kind, text in notes if kind == wanted and text[:9].isdecimal()), 0)


def _files(
    notes: Iterable[tuple[str, str]], workspace: str, declared: Declared
) -> tuple[set[str], list[Use]]:
    read: set[str] = set()
    uses: list[Use] = []
    for kind, text in notes:
        if kind not in ("r", "w", "m"):
            continue
        if not text.startswith(workspace):
            if kind == "r":
                uses.append(Use(text, "read"))
            elif kind == "w" and not text.startswith(_TEMPORARY):
                uses.append(Use(text, "written"))
            continue
        path = text[len(workspace) :]
        if path in declared.placed:
            read.add(path)
        elif kind == "m" and declared.known(path) and not _is_made(path, declared.makes):
            uses.append(Use(path, "asked for, and not there"))
    return read, uses


def _is_made(path: str, makes: Sequence[str]) -> bool:
    return any(path == made or path.startswith(f"{made}/") for made in makes)


def _variables(notes: Iterable[tuple[str, str]], declared: Declared) -> tuple[set[str], list[Use]]:
    asked: set[str] = set()
    uses: list[Use] = []
    for kind, text in notes:
        name, _, where = text.partition("\n")
        if kind not in ("e", "a") or not name or name in declared.given:
            continue
        asked.add(name)
        if where:
            uses.append(Use(ENV + name, where if kind == "e" else f"{where}, not set"))
    return asked, uses


def _unread(read: Collection[str], declared: Declared) -> Iterator[str]:
    """Yield the needs of which files were placed and none was opened."""
    for need in declared.needs or ():
        mine = [path for path in declared.placed if need_takes(need, path)]
        if mine and not any(path in read for path in mine):
            yield need
