"""Showing a run as it goes: bars at a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import msgspec

from lockgate.cli.output import echo
from lockgate.hub.exchanging.carrying import Carried
from lockgate.hub.running.follow import Progress, lines_of
from lockgate.hub.worktree.sending import Receipt
from lockgate.runs.runid import short

Show = Callable[[Receipt | Progress | Carried], None]


@contextmanager
def watch(*, is_quiet: bool, is_json: bool = False) -> Iterator[Show]:
    """Give a function that shows each receipt and each progress; `is_json`, to a program."""
    if is_json:
        yield _encoded
    elif is_quiet:
        yield lambda news: None
    elif sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        from lockgate.cli.livebars import LiveBars  # noqa: PLC0415  (rich: only at a terminal)

        with LiveBars() as bars:
            yield bars.show
    else:
        yield _plain


def _encoded(news: Receipt | Progress | Carried) -> None:
    """Beside the answer, which is on standard output."""
    click.echo(msgspec.json.encode(news).decode(), err=True)


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
