"""How far a run has come, shown while one waits for it: a bar in a notebook, a line at a terminal."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_WIDTH = 24


class Course:
    """What is known of a run so far; fed with the program's news."""

    def __init__(self) -> None:
        self.run = ""
        self.settled = 0
        self.total = 0
        self.words = "queued"
        self.running: dict[str, str] = {}

    def take(self, news: Mapping[str, Any]) -> None:
        self.run = str(news.get("run") or self.run)
        kind, stage = news.get("kind"), news.get("stage")
        self.total = int(news.get("total") or self.total)
        self.settled = int(news.get("settled") or self.settled)
        if kind == "preparing":
            self.words = "preparing the runtime and the plan"
        elif kind == "planned":
            self.words = ""
        elif kind == "ended":
            self.words = str(news.get("state", ""))
            self.running.clear()
        elif stage is not None and kind in ("running", "progress"):
            self.running[str(stage)] = str(news.get("words", "")) if kind == "progress" else ""
        elif stage is not None:
            self.running.pop(str(stage), None)

    @property
    def as_text(self) -> str:
        """One line, at most as wide as a terminal."""
        filled = _WIDTH * self.settled // self.total if self.total else 0
        bar = "█" * filled + "░" * (_WIDTH - filled)
        count = f"{self.settled}/{self.total}" if self.total else ""
        return f"run {self.run[-8:]} {bar} {count} {self._now}".rstrip()[:100]

    @property
    def as_html(self) -> str:
        """Every text in it is escaped."""
        value = f' value="{self.settled}" max="{self.total}"' if self.total else ""
        if self.words == "succeeded":
            value = ' value="1" max="1"'
        count = f"{self.settled} of {self.total} stages" if self.total else ""
        label = html.escape(f"Run {self.run[-8:]}", quote=True)
        return (
            f'<div class="lockgate"><progress aria-label="{label}"{value}></progress> '
            f"{label} {html.escape(count)} <em>{html.escape(self._now)}</em></div>"
        )

    @property
    def _now(self) -> str:
        running = [f"{stage} {words}".strip() for stage, words in self.running.items()]
        more = f" and {len(running) - 3} more" if len(running) > 3 else ""
        return self.words or ", ".join(running[:3]) + more


@contextmanager
def shown() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give a function that takes news and shows them where this Python can show something that changes."""
    course = Course()
    handle = _display()
    if handle is not None:

        def tell(news: Mapping[str, Any]) -> None:
            course.take(news)
            handle.update({"text/html": course.as_html, "text/plain": course.as_text}, raw=True)

        tell({})
        yield tell
    elif sys.stderr.isatty():

        def line(news: Mapping[str, Any]) -> None:
            course.take(news)
            sys.stderr.write(f"\r\x1b[2K{course.as_text}")
            sys.stderr.flush()

        try:
            yield line
        finally:
            sys.stderr.write("\r\x1b[2K")
    else:
        yield course.take


def _display() -> Any:
    """Return a handle of what can be shown anew; None: this is no notebook."""
    if "IPython" not in sys.modules:
        return None
    from IPython import display, get_ipython  # noqa: PLC0415

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    show: Any = display.display
    return show({"text/plain": ""}, raw=True, display_id=True)
