"""To the hub and back: fetching its branches, pushing one; what the hub says, in words."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git.program import attempt, clean_environment
from lockgate.hub.exchanging.clone_data import digests_between, known_commits, send_data
from lockgate.hub.push import Options
from lockgate.hub.reaching.address import REMOTE
from lockgate.hub.worktree.sending import Receipt, hear, refusal, unknown_member

_FORBIDDEN = re.compile(r"403|not allowed")
_BEHIND = re.compile(
    r"\[(?:remote )?rejected\].*(?:fetch first|non-fast-forward|stale|cannot lock|reference already)"
)


class Sent(msgspec.Struct, frozen=True):
    """What became of a push. `is_behind`: the hub's branch has what is not here, so nothing was moved."""

    is_behind: bool = False
    run: str | None = None


def fetch(root: Path) -> None:
    """Bring the hub's branches to `refs/remotes/hub/`.

    Raises `UserError` (`hub-unknown-member`, `not-allowed`), `OutsideError` (`hub-unreachable`).
    """
    code, _, error = attempt(
        root, "fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--no-auto-maintenance",
        REMOTE, f"+refs/heads/*:refs/remotes/{REMOTE}/*",
        environment={"GIT_TERMINAL_PROMPT": "0"},
    )  # fmt: skip
    if code != 0:
        words = error.decode("utf-8", "replace")
        raise _failure(words)


def tracked(root: Path, branch: str) -> str | None:
    """Return the commit the hub's branch stood at when it was last asked."""
    code, output, _ = attempt(root, "rev-parse", "--quiet", "--verify", f"refs/remotes/{REMOTE}/{branch}")
    return output.decode().strip() if code == 0 else None


def push(root: Path, commit: str, branch: str) -> Sent:
    """Push a commit as the hub's branch, its data first. Raises what the hub refuses with, and as `fetch`."""
    send_data(root, digests_between(root, [commit], known_commits(root, REMOTE)))
    said: list[str] = []
    receipt: Receipt | None = None
    words = ["git", "-C", str(root), "push", "--quiet", "--no-verify"]
    words += [word for option in Options(is_json=True).words() for word in ("-o", option)]
    words += [REMOTE, f"{commit}:refs/heads/{branch}"]
    pushing = hear(words, clean_environment() | {"GIT_TERMINAL_PROMPT": "0"}, said)
    while True:
        try:
            told = next(pushing)
        except StopIteration as end:
            code = end.value
            break
        receipt = told if isinstance(told, Receipt) else receipt
    if code == 0:
        attempt(root, "update-ref", f"refs/remotes/{REMOTE}/{branch}", commit)
        return Sent(run=receipt.run if receipt else None)
    told_error = refusal(said)
    if isinstance(told_error, UserError):
        raise told_error
    if any("fetch first" in line or "non-fast-forward" in line or _BEHIND.search(line) for line in said):
        return Sent(is_behind=True)
    raise _failure("\n".join(said))


def _failure(words: str) -> LockgateError:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    told = next(
        (line for line in lines if line.startswith(("fatal:", "ssh:", "error:"))), lines[0] if lines else ""
    )
    last = told.removeprefix("fatal: ").removeprefix("error: ")
    if unknown := unknown_member(words):
        return unknown
    if _FORBIDDEN.search(words):
        return UserError(
            f"the hub does not allow it: {last}",
            "Ask a lead of the project for the role `member`; until then your commits stay here.",
            code="not-allowed",
        )
    return OutsideError(
        f"the hub cannot be reached: {last or 'git gave no reason'}",
        "Your commits wait here; the next sync sends them.",
        code="hub-unreachable",
        is_transient=True,
    )
