"""A verification started by a press: its progress and verdict are told as they come."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.errors import LockgateError
from lockgate.git.worktree import member_here
from lockgate.hub.proving.verification import Asked
from lockgate.hub.reaching.address import address
from lockgate.hub.running.follow import Progress
from lockgate.hub.worktree.asking import ask_verification
from lockgate.hub.worktree.sending import Receipt
from lockgate.jupyter.service import Service
from lockgate.verify.report import in_words


class Proof(msgspec.Struct, frozen=True):
    """One artifact that was made again; `words`: how it compares."""

    path: str
    verdict: str
    words: str
    is_picture: bool


class Verdict(msgspec.Struct, frozen=True):
    """What a verification found; `failure` instead where it could not be made."""

    run: str
    by_run: str = ""
    is_proved: bool = False
    words: str = ""
    proofs: tuple[Proof, ...] = ()
    causes: tuple[str, ...] = ()
    failure: str = ""
    hint: str = ""


_PROOFS_AT_MOST = 500
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")


def verify(service: Service, root: Path, run: str, stages: tuple[str, ...]) -> None:
    """Verify a run from now on; `verifying` tells how it comes on, `verified` what was found."""

    def show(news: Receipt | Progress) -> None:
        if isinstance(news, Progress):
            service.tell("verifying", root, {"of": run, **msgspec.to_builtins(news)})

    def go() -> None:
        try:
            found = ask_verification(
                address(None, None, root), run, Asked(stages=stages), member_here(root), show
            )
        except LockgateError as error:
            told = Verdict(run, failure=error.message, hint=error.hint)
        else:
            told = Verdict(
                run,
                found.by_run,
                found.is_proved,
                in_words(found.verdict, found.words),
                tuple(
                    Proof(
                        each.path,
                        each.verdict,
                        in_words(each.verdict, each.words),
                        each.path.lower().endswith(_PICTURES),
                    )
                    for each in found.artifacts[:_PROOFS_AT_MOST]
                ),
                tuple(f"{cause.stage}: likely cause: {cause.words}" for cause in found.causes),
            )
        service.tell("verified", root, told)

    service.go_on(go, "verify")
