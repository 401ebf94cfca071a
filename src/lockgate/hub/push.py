"""What a push asks for: its refs and its options, judged without looking at anything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.project.quantities import parse_duration, parse_size
from lockgate.runs.runid import is_run_id, short

ABSENT = "0" * 40
SNAPSHOTS = "refs/lockgate/snapshots/"
#: With the member behind it: their newest snapshot of which the run is recorded.
BASES = "refs/lockgate/bases/"
#: With the other's id, what stands for a branch in a run that verifies another. There is no such ref.
VERIFICATIONS = "refs/lockgate/verifications/"
#: With the member and the proposal behind it.
PROPOSALS = "refs/lockgate/proposals/"
#: What a member's Jupyter captured; with the member and the device behind it. Pushed by syncs, never run.
JOURNALS = "refs/lockgate/journals/"
_JOURNAL = re.compile(rf"{JOURNALS}[A-Za-z0-9._@+-]+/[A-Za-z0-9._@+-]+")
_SNAPSHOT = re.compile(rf"{SNAPSHOTS}[A-Za-z0-9._@+-]+/([0-9A-Z]+)")

OPTIONS = (
    "wait",
    "skip",
    "dry-run",
    "only=STAGE",
    "force=STAGE",
    "backend=NAME",
    "param.NAME=VALUE",
    "memory=SIZE",
    "walltime=DURATION",
    "cpus=NUMBER",
    "progress=json",
)


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
    is_dry_run: bool = False
    """Plan and tell, but queue nothing and move no ref."""
    memory_bytes: int | None = None
    walltime_s: int | None = None
    cpus: int | None = None

    def words(self) -> list[str]:
        """Return them as they are given to `git push -o`; `parse_options` reads them back."""
        flags = {"wait": self.is_wait, "skip": self.is_skip, "dry-run": self.is_dry_run}
        words = [word for word, is_given in {**flags, "progress=json": self.is_json}.items() if is_given]
        words += [f"param.{name}={value}" for name, value in self.params.items()]
        words += [f"only={stage}" for stage in self.only] + [f"force={stage}" for stage in self.force]
        words += [f"backend={self.backend}"] if self.backend else []
        words += [f"memory={self.memory_bytes} B"] if self.memory_bytes is not None else []
        words += [f"walltime={self.walltime_s} s"] if self.walltime_s is not None else []
        words += [f"cpus={self.cpus}"] if self.cpus is not None else []
        return words


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

    Raises `UserError`: `push-option`, `resource-invalid`.
    """
    words = [
        environment.get(f"GIT_PUSH_OPTION_{n}", "")
        for n in range(int(environment.get("GIT_PUSH_OPTION_COUNT") or 0))
    ]
    flags = {"wait": False, "skip": False, "dry-run": False}
    asked: dict[str, int] = {}
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
        elif name in _READERS and equals:
            asked[name] = read_resource(name, value)
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
        is_dry_run=flags["dry-run"],
        memory_bytes=asked.get("memory"),
        walltime_s=asked.get("walltime"),
        cpus=asked.get("cpus"),
    )


def _parse_count(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


_READERS = {
    "memory": (parse_size, "a size such as 2 GB"),
    "walltime": (parse_duration, "a duration such as 30 min"),
    "cpus": (_parse_count, "a whole number"),
}


def read_resource(name: str, text: str) -> int:
    """Return the bytes, seconds or cpus that a run is to get. Raises `UserError` (`resource-invalid`)."""
    read, wanted = _READERS[name]
    amount = read(text)
    if not amount or amount >= 1 << 62:
        raise UserError(
            f'{name} is to be {wanted}, not "{text}"',
            "It is more than nothing, and written as in lockgate.toml.",
            code="resource-invalid",
        )
    return amount


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
    if ref.startswith(JOURNALS) and _JOURNAL.fullmatch(ref):
        return Update(old, new, ref, "keep")
    if ref.startswith("refs/lockgate/"):
        raise UserError(
            f"{ref} is written by the hub alone",
            "Push branches and tags; `lockgate run` pushes snapshots.",
            code="ref-reserved",
        )
    return Update(old, new, ref, "keep")


def describe(ref: str) -> str:
    """Return a ref as a person calls it."""
    if ref.startswith(VERIFICATIONS):
        return f"verification of {short(ref.removeprefix(VERIFICATIONS))}"
    if ref.startswith(PROPOSALS):
        return f"proposal {short(ref.rpartition('/')[2])}"
    if ref.startswith(SNAPSHOTS):
        return "your work tree"
    return ref.removeprefix("refs/heads/")


def runs_asked(updates: Sequence[Update], options: Options) -> list[Update]:
    """Return the updates that start a run; one commit under several branches runs for each."""
    return [] if options.is_skip else [update for update in updates if update.action == "run"]
