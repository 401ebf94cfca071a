"""What stages print, followed once for all pages: a page is told that there is more, and asks for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError
from lockgate.hub.reaching.address import address
from lockgate.hub.showing.terminal_text import Stretch, stretches_of
from lockgate.hub.worktree.asking import ask_logs
from lockgate.jupyter.following import Tell

#: Of each log the end is kept, and given in parts.
KEPT_BYTES = 512_000
PART_BYTES = 64_000
_TAILS_AT_MOST = 32


class LogPart(msgspec.Struct, frozen=True):
    """Whole lines from byte `start` up to `end`, and the line that is being written after them."""

    start: int
    end: int
    lines: tuple[Stretch, ...]
    rest: tuple[Stretch, ...]
    is_over: bool
    failure: str = ""


class Tail:
    """The end of one stage's log."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._kept = bytearray()
        self._start = 0
        self.is_over = False
        self.failure = ""

    def put(self, content: bytes) -> None:
        with self._guard:
            self._kept += content
            if len(self._kept) > 2 * KEPT_BYTES:
                cut = self._kept.find(b"\n", len(self._kept) - KEPT_BYTES) + 1
                cut = cut or len(self._kept) - KEPT_BYTES
                del self._kept[:cut]
                self._start += cut

    def part(self, at: int) -> LogPart:
        """Return what there is from a byte on; of more than `PART_BYTES` the end, from a line's start."""
        with self._guard:
            content, start = bytes(self._kept[max(0, at - self._start) :]), max(at, self._start)
        if len(content) > PART_BYTES:
            cut = len(content) - PART_BYTES
            cut = content.find(b"\n", cut) + 1 or cut
            content, start = content[cut:], start + cut
        whole = content.rfind(b"\n") + 1
        return LogPart(
            start,
            start + whole,
            tuple(stretches_of(content[:whole])),
            tuple(stretches_of(content[whole:])),
            self.is_over,
            self.failure,
        )


class Tails:
    """The logs that pages look at; those looked at last are kept."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._guard = threading.Lock()
        self._tails: OrderedDict[tuple[Path, str, str], Tail] = OrderedDict()

    def open(self, root: Path, run: str, stage: str) -> Tail:
        """Return a log's tail; the first who asks has it followed to the run's end."""
        key = (root, run, stage)
        with self._guard:
            tail = self._tails.get(key)
            if tail is not None and not tail.failure:
                self._tails.move_to_end(key)
                return tail
            tail = self._tails[key] = Tail()
            while len(self._tails) > _TAILS_AT_MOST:
                self._tails.popitem(last=False)
        words = [root, run, stage, tail]
        threading.Thread(target=self._follow, args=words, name="lockgate log", daemon=True).start()
        return tail

    def _follow(self, root: Path, run: str, stage: str, tail: Tail) -> None:
        about = {"run": run, "stage": stage}
        try:
            for piece in ask_logs(address(None, None, root), run, stage, is_follow=True):
                if piece.content:
                    tail.put(piece.content)
                    self._tell("log", root, about)
        except LockgateError as error:
            tail.failure = f"{error.message}. {error.hint}"
        tail.is_over = True
        self._tell("log", root, about)
