"""Runs started by a press: the receipt is the answer, all that follows is told as it happens."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError
from lockgate.hub.exchanging.carrying import Carried
from lockgate.hub.push import Options
from lockgate.hub.running.follow import Progress
from lockgate.hub.worktree.sending import Receipt
from lockgate.hub.worktree.submission import submit
from lockgate.jupyter.service import Service


class Placed(msgspec.Struct, frozen=True):
    """A run has ended, and its results lie in the work tree."""

    run: str
    state: str
    written: tuple[str, ...]
    """Below the project's root."""
    kept: tuple[str, ...]
    """What was edited meanwhile and so left as it is."""


class Lost(msgspec.Struct, frozen=True):
    """The run could not be followed to its end here; on the hub it goes on."""

    run: str
    message: str
    hint: str
    code: str


def start(service: Service, root: Path, options: Options) -> Future[Receipt]:
    """Run the work tree as it is. The future has the hub's receipt, or why it refused."""
    receipt: Future[Receipt] = Future()

    def show(news: Receipt | Progress | Carried) -> None:
        if isinstance(news, Receipt):
            service.note_running(root, news.run)
            receipt.set_result(news)
        elif isinstance(news, Progress):
            service.tell("run", root, news)
        else:
            service.tell("sent", root, news)

    def follow() -> None:
        try:
            done = submit(root, options, show)
        except LockgateError as error:
            _failed(error)
            return
        except Exception as error:  # noqa: BLE001  (whatever it is, the press gets an answer)
            _failed(error)
            return
        ended = done.ended
        service.note_ended(root, done.run)
        written = (*done.fetched.written, *done.large)
        service.tell(
            "placed", root, Placed(done.run, ended.state if ended else "", written, done.fetched.kept)
        )

    def _failed(error: Exception) -> None:
        if not receipt.done():
            receipt.set_exception(error)
            return
        run = receipt.result().run
        service.note_ended(root, run)
        hint = error.hint if isinstance(error, LockgateError) else "The server's log says more."
        message = error.message if isinstance(error, LockgateError) else str(error)
        code = error.code if isinstance(error, LockgateError) else "internal"
        service.tell("lost", root, Lost(run, message, hint, code))

    service.go_on(follow, "run")
    return receipt
