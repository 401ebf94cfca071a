"""What a push asks for: its refs and its options, judged without looking at anything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.runs.runid import is_run_id

ABSENT = "0" * 40
SNAPSHOTS = "refs/lockgate/snapshots/"
_SNAPSHOT = re.compile(rf"{SNAPSHOTS}[A-Za-z0-9._@+-]+/([0-9A-Z]+)")

OPTIONS = ("wait", "skip", "only=STAGE", "force=STAGE", "backend=NAME", "param.NAME=VALUE", "progress=json")


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `git push -o …` of one push."""

    is_wait: bool = False
    is_skip: bool = False
    is_json: bool = False
    """Progress as one JSON object a line, for `lockgate run`."""
    params: dict[str, str] = {}
    only: tuple[str, ...] = ()
    force: tuple[str, ...] = ()
    backend: str | None = None


class Update(msgspec.Struct, frozen=True):
    """One ref that the push moves, with what it means."""

    old: str
    new: str
    ref: str
    action: Literal["run", "keep"]
    run: str | None = None
    """The run id a snapshot ref asks for."""


def parse_options(environment: Mapping[str, str]) -> Options:
    """Read `GIT_PUSH_OPTION_COUNT` and `GIT_PUSH_OPTION_n`, see githooks(5), pre-receive.

    Raises `UserError` (`push-option`).
    """
    words = [
        environment.get(f"GIT_PUSH_OPTION_{n}", "")
        for n in range(int(environment.get("GIT_PUSH_OPTION_COUNT") or 0))
    ]
    flags = {"wait": False, "skip": False}
    params: dict[str, str] = {}
    lists: dict[str, list[str]] = {"only": [], "force": []}
    backend, is_json = None, False
    for word in words:
        name, equals, value = word.partition("=")
        if word in flags:
            flags[word] = True
        elif name in lists and value.strip(","):
            lists[name] += [stage for stage in value.split(",") if stage] if "@" not in value else [value]
        elif name == "backend" and value:
            backend = value
        elif name == "progress" and value == "json":
            is_json = True
        elif name.startswith("param.") and len(name) > len("param.") and equals:
            params[name.removeprefix("param.")] = value
        else:
            raise UserError(
                f"git push -o {word}: no such option",
                f"The options: {', '.join(OPTIONS)}.",
                code="push-option",
            )
    return Options(
        is_wait=flags["wait"],
        is_skip=flags["skip"],
        is_json=is_json,
        params=params,
        only=tuple(lists["only"]),
        force=tuple(lists["force"]),
        backend=backend,
    )


def parse_updates(lines: Iterable[str]) -> list[Update]:
    """Read a receive hook's standard input, `OLD NEW REF` a line; say which of them start a run.

    Raises `UserError` (`ref-reserved`) for a ref that only the hub writes.
    """
    return [_judge(*line.split(" ", 2)) for line in (line.rstrip("\n") for line in lines) if line]


def _judge(old: str, new: str, ref: str) -> Update:
    if ref.startswith("refs/heads/"):
        return Update(old, new, ref, "keep" if new == ABSENT else "run")
    if ref.startswith(SNAPSHOTS):
        found = _SNAPSHOT.fullmatch(ref)
        if found and is_run_id(found[1]) and old == ABSENT and new != ABSENT:
            return Update(old, new, ref, "run", found[1])
    if ref.startswith("refs/lockgate/"):
        raise UserError(
            f"{ref} is written by the hub alone",
            "Push branches and tags; `lockgate run` pushes snapshots.",
            code="ref-reserved",
        )
    return Update(old, new, ref, "keep")


def describe(ref: str) -> str:
    """Return a ref as a person calls it."""
    if ref.startswith(SNAPSHOTS):
        return "your work tree"
    return ref.removeprefix("refs/heads/")


def runs_asked(updates: Sequence[Update], options: Options) -> list[Update]:
    """Return the updates that start a run; one commit under several branches runs for each."""
    return [] if options.is_skip else [update for update in updates if update.action == "run"]
