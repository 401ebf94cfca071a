"""Sending a commit to the hub and hearing how its run goes: plain `git push`, whatever carries it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git.program import clean_environment
from lockgate.hub import hook_line
from lockgate.hub.members.slug import member_slug
from lockgate.hub.push import SNAPSHOTS, Options
from lockgate.hub.reaching.address import REMOTE
from lockgate.hub.running.follow import Progress
from lockgate.runs.forecast import RunForecast, StageForecast

_JSON = "lockgate-json: "
_REFUSED = re.compile(r"lockgate: (?:nothing was queued: )?(.*)")
_DRY = re.compile(r"lockgate: dry run: .*")
_HTTP_REFUSED = re.compile(r"returned error: 4\d\d")
_UNKNOWN = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|error: 401|Permission denied \("
)
#: The hub's address where git names it: `… for 'https://hub.example/git/flights.git/'`.
_ADDRESS = re.compile(r"for '(https?://)(?:[^@/']*@)?([^']+?)(?:/git/[^']*)?/?'")
_CODE = re.compile(r"(.*) \[([a-z0-9-]+)\]$")


class Receipt(msgspec.Struct, frozen=True):
    """The hub's answer: the run is queued."""

    run: str
    project: str
    lines: tuple[str, ...]


class _Line(msgspec.Struct, frozen=True):
    kind: str


class Snapshot(msgspec.Struct, frozen=True):
    """What is to be run: a commit of a work tree, for a new run of a member."""

    root: Path
    commit: str
    run: str
    member: str
    url: str
    """The hub's project, as git names it."""


def send(snapshot: Snapshot, options: Options) -> Iterator[Receipt | Progress]:
    """Push a snapshot; yield the receipt, then with `is_wait` all progress.

    Raises what the hub refused as `UserError` with the hub's own code, `OutsideError` (`push-failed`).
    """
    said: list[str] = []
    code = yield from _push(snapshot, options, said)
    if code != 0 or (options.is_wait and any(_REFUSED.fullmatch(line) for line in said)):
        raise refusal(said)


def foresee(snapshot: Snapshot, options: Options) -> RunForecast:
    """Ask the hub what a run of the snapshot would do and take: a push that it refuses when it has told.

    Raises as `send`.
    """
    said: list[str] = []
    whole: RunForecast | None = None
    stages: list[StageForecast] = []
    dry = replace(options, is_dry_run=True, is_wait=False)
    for told in _push(snapshot, dry, said):
        if isinstance(told, RunForecast):
            whole = told
        elif isinstance(told, StageForecast):
            stages.append(told)
    if whole is None or not any(_DRY.fullmatch(line) for line in said):
        raise refusal(said)
    return replace(whole, stages=tuple(stages))


def _push(snapshot: Snapshot, options: Options, said: list[str]) -> Generator[Any, None, int]:
    """Push; yield what the hub tells as JSON, put its other lines into `said`, return git's exit code."""
    words = ["git", "-C", str(snapshot.root), "push", "--quiet", "--no-verify"]
    words += [word for option in replace(options, is_json=True).words() for word in ("-o", option)]
    words += [REMOTE, f"{snapshot.commit}:{SNAPSHOTS}{member_slug(snapshot.member)}/{snapshot.run}"]
    # Nobody may sit before the terminal of a Jupyter server
    environment = clean_environment() | {"GIT_TERMINAL_PROMPT": "0"}
    hub = Path(snapshot.url).parent.parent if snapshot.url.startswith("/") else None
    return (yield from hear(words, environment, said, hub))


def hear(
    words: Sequence[str], environment: Mapping[str, str], said: list[str], hub: Path | None = None
) -> Generator[Any, None, int]:
    """Run a push, with a line to the hook server of a hub at that path; yield and return as above."""
    with hook_line.lent(hub) if hub is not None else nullcontext() as line:
        if line is not None:
            words, environment = hook_line.taken_along(words), {**environment, hook_line.VARIABLE: "1"}
        push = subprocess.Popen(
            words,
            stdin=line.fileno() if line is not None else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(environment),
        )
        return (yield from _told(push, said))


def _told(push: subprocess.Popen[bytes], said: list[str]) -> Generator[Any, None, int]:
    assert push.stderr is not None
    try:
        for raw in push.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            text = line.removeprefix("remote:").strip()
            if text.startswith(_JSON):
                yield _parse(text.removeprefix(_JSON).encode())
            elif text:
                said.append(text)
        return push.wait()
    finally:
        push.stderr.close()
        if push.poll() is None:
            push.terminate()
            push.wait()


def _parse(line: bytes) -> Receipt | RunForecast | StageForecast | Progress:
    try:
        match msgspec.json.decode(line, type=_Line).kind:
            case "receipt":
                return msgspec.json.decode(line, type=Receipt)
            case "forecast":
                return msgspec.json.decode(line, type=RunForecast)
            case "stage":
                return msgspec.json.decode(line, type=StageForecast)
        return msgspec.json.decode(line, type=Progress)
    except msgspec.DecodeError as error:
        raise OutsideError(
            f"the hub's answer is not understood: {error}",
            "Use the same version of Lockgate here and on the hub.",
            code="hub-answer",
        ) from None


def unknown_member(words: str) -> UserError | None:
    """Return the error for a login that the hub does not know, where git's words say so."""
    if not _UNKNOWN.search(words):
        return None
    found = _ADDRESS.search(words)
    return UserError(
        "the hub does not know who you are: the token is wrong, or its time is over",
        f"Log in again: lockgate login {found[1] + found[2] if found else 'ADDRESS'};"
        " until then your work waits here.",
        code="hub-unknown-member",
    )


def refusal(said: Sequence[str]) -> LockgateError:
    """Return what was said as an error: the hub's own where it refused, else git's."""
    told = [found[1] for line in said if (found := _REFUSED.fullmatch(line))]
    if len(told) >= 2:
        hint = _CODE.fullmatch(told[1])
        return UserError(told[0], hint[1] if hint else told[1], code=hint[2] if hint else "refused")
    words = "\n".join(said)
    if told and (whole := _CODE.fullmatch(told[0])):
        # Over ssh it is one line, see `lockgate.cli.hub_shell`
        message, _, hint_words = whole[1].partition(". ")
        return UserError(message, hint_words, code=whole[2])
    for message, below in pairwise(said):
        # Over HTTP git shows the body, see `lockgate.web.git_http`
        if (found := _CODE.fullmatch(below)) and _HTTP_REFUSED.search(words):
            return UserError(message, found[1], code=found[2])
    if unknown := unknown_member(words):
        return unknown
    errors = [line for line in said if line.startswith(("fatal:", "error:", "!", "ssh:"))] or list(said)
    return OutsideError(
        f"the push to the hub failed: {errors[0].removeprefix('fatal: ') if errors else 'git push failed'}",
        "Try it by hand: git push hub HEAD; and look at: git remote -v",
        code="push-failed",
        is_transient=True,
    )
