"""Showing a run as it goes: bars at a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lockgate.cli.output import echo
from lockgate.hub.carrying import Carried
from lockgate.hub.follow import Progress, lines_of
from lockgate.hub.sending import Receipt
from lockgate.runs.runid import short

Show = Callable[[Receipt | Progress | Carried], None]


@contextmanager
def watch(*, is_quiet: bool) -> Iterator[Show]:
    """Give a function that shows each receipt and each progress."""
    if is_quiet:
        yield lambda news: None
    elif sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        from lockgate.cli.livebars import LiveBars  # noqa: PLC0415  (rich: only at a terminal)

        with LiveBars() as bars:
            yield bars.show
    else:
        yield _plain


def _plain(news: Receipt | Progress | Carried) -> None:
    if isinstance(news, Carried):
        echo(news.words)
        return
    if isinstance(news, Receipt):
        echo(f"run {short(news.run)} · {news.project}")
        for line in news.lines:
            echo(f"  {line}")
        return
    for line in lines_of(news, is_json=False):
        echo(line)
