"""Documents: what the one search box finds, made of entries, commits, files and logs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from lockgate.hub.search.words import in_title, words_of

#: So much of a text is kept to search and to show.
KEPT_CHARS = 64_000

#: The kinds of documents that stand for an entry of the chain, one for each; its id is their key.
OF_ENTRIES = ("activity", "run")


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One. `key` tells what it is of, so that it comes in once."""

    kind: str
    key: str
    at: float
    by: str
    title: str
    body: str = ""
    run: str | None = None
    path: str | None = None
    commit: str | None = None


def words_in(document: Document) -> list[str]:
    """Return what it is found by: its texts, who and when; an entry by the words of its title too."""
    texts: Iterator[str] = iter(
        (document.title, document.by, day_words(document.at), document.run or "", document.path or "",
         document.commit or "", document.body)
    )  # fmt: skip
    marked = words_of([document.title]) if document.kind in OF_ENTRIES else []
    return [*words_of(texts), *map(in_title, marked)]


def day_words(at: float) -> str:
    """Return a day as people write it: `2026-11-25 Wednesday 25 November 2026`."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %A %d %B %Y")
    except (ValueError, OverflowError, OSError):
        return ""
