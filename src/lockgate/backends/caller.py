"""Calls that may block, made one at a time on a thread of their own."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from lockgate.errors import LockgateError, OutsideError

log = logging.getLogger("lockgate.backends")

T = TypeVar("T")


class Caller(Generic[T]):
    """Makes one call at a time; `fileno` is readable once its answer can be taken."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._calls: queue.SimpleQueue[Callable[[], T] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[T | LockgateError] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.is_busy = False
        """Whether a call is under way, or its answer not taken yet."""
        self._last: Callable[[], object] = bool

    def fileno(self) -> int:
        return self._reader

    def start(self, call: Callable[[], T]) -> None:
        """Begin a call; the one before must have been taken."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self.is_busy = True
        self._calls.put(call)

    def take(self) -> T | LockgateError | None:
        """Return the answer of the call under way, or None while there is none."""
        try:
            answer = self._answers.get_nowait()
        except queue.Empty:
            return None
        os.read(self._reader, 64)
        self.is_busy = False
        return answer

    def close(self, last: Callable[[], object]) -> None:
        """End the thread once its call has come back, whose answer is dropped; `last` is done then."""
        self._last = last
        self._calls.put(None)
        if self._thread is None:
            self._work()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                answer: T | LockgateError = call()
            except LockgateError as error:
                answer = error
            except Exception as error:
                log.exception("%s: a fault", self._name, extra={"action": "fault"})
                answer = OutsideError(
                    f"a fault in the backend: {type(error).__name__}: {error}",
                    "Please report it, with what you did.",
                    code="backend-broken",
                )
            # In this order: who takes an answer finds its byte there.
            os.write(self._writer, b"!")
            self._answers.put(answer)
        self._last()
        os.close(self._reader)
        os.close(self._writer)
