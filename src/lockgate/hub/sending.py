"""Sending a commit to the hub and hearing how its run goes: plain `git push`, whatever carries it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git.program import clean_environment
from lockgate.hub.address import REMOTE
from lockgate.hub.follow import Progress
from lockgate.hub.push import SNAPSHOTS

_JSON = "lockgate-json: "
_REFUSED = re.compile(r"lockgate: (?:nothing was queued: )?(.*)")
_CODE = re.compile(r"(.*) \[([a-z0-9-]+)\]$")


class Receipt(msgspec.Struct, frozen=True):
    """The hub's answer: the run is queued."""

    run: str
    project: str
    lines: tuple[str, ...]


class _Line(msgspec.Struct, frozen=True):
    kind: str


def send(
    root: Path,
    commit: str,
    run: str,
    member: str,
    *,
    params: Mapping[str, str],
    only: Sequence[str],
    force: Sequence[str],
    backend: str | None,
    is_wait: bool,
) -> Iterator[Receipt | Progress]:
    """Push a commit as the snapshot of a new run; yield the receipt, then with `is_wait` all progress.

    Raises what the hub refused as `UserError` with the hub's own code, `OutsideError` (`push-failed`).
    """
    options = ["progress=json", *(["wait"] if is_wait else [])]
    options += [f"param.{name}={value}" for name, value in params.items()]
    options += [f"only={stage}" for stage in only] + [f"force={stage}" for stage in force]
    options += [f"backend={backend}"] if backend else []
    words = ["git", "-C", str(root), "push", "--quiet", "--no-verify"]
    words += [word for option in options for word in ("-o", option)]
    words += [REMOTE, f"{commit}:{SNAPSHOTS}{member_slug(member)}/{run}"]
    push = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=clean_environment(),
    )
    said: list[str] = []
    assert push.stderr is not None
    try:
        for raw in push.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            text = line.removeprefix("remote:").strip()
            if text.startswith(_JSON):
                yield _parse(text.removeprefix(_JSON).encode())
            elif text:
                said.append(text)
        if push.wait() != 0 or (is_wait and any(_REFUSED.fullmatch(line) for line in said)):
            raise _refusal(said)
    finally:
        if push.poll() is None:
            push.terminate()
            push.wait()


def member_slug(member: str) -> str:
    """Return a member's name as part of a ref."""
    return re.sub(r"[^A-Za-z0-9_@+-]+|\.(?=\.|lock$|$)", "-", member).strip(".-") or "member"


def _parse(line: bytes) -> Receipt | Progress:
    try:
        if msgspec.json.decode(line, type=_Line).kind == "receipt":
            return msgspec.json.decode(line, type=Receipt)
        return msgspec.json.decode(line, type=Progress)
    except msgspec.DecodeError as error:
        raise OutsideError(
            f"the hub's answer is not understood: {error}",
            "Use the same version of Lockgate here and on the hub.",
            code="hub-answer",
        ) from None


def _refusal(said: Sequence[str]) -> LockgateError:
    told = [found[1] for line in said if (found := _REFUSED.fullmatch(line))]
    if len(told) >= 2:
        hint = _CODE.fullmatch(told[1])
        return UserError(told[0], hint[1] if hint else told[1], code=hint[2] if hint else "refused")
    errors = [line for line in said if line.startswith(("fatal:", "error:", "!", "ssh:"))] or list(said)
    return OutsideError(
        f"the push to the hub failed: {errors[0].removeprefix('fatal: ') if errors else 'git push failed'}",
        "Try it by hand: git push hub HEAD; and look at: git remote -v",
        code="push-failed",
        is_transient=True,
    )
