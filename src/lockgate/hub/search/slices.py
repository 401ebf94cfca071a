"""Words of documents in PostgreSQL, in slices: newest first, and no more of the index read than a page needs.

GIN gathers all that fits before any of it can be sorted or cut. So each word is kept with the slice of its
document's number before it, as `30.banana`: one index that is like one for each slice. They are asked for
from the newest on, until there is enough; words only begun are looked for within a slice too.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

#: So many documents are a slice: what a word has in one is found in few ms, and 100 slices without any too.
SLICE = 32_768
#: After a stretch of slices that gave too little follows one so many times as long.
_WIDER = 4

_NEWEST = text("select max(number) from document_words")
# Each slice has its own plan's worth of work: `+ 0` keeps it from reading all documents from the last one on
_FOUND = text(
    "select found.number from generate_series(cast(:first as bigint), :last) as slice, lateral ("
    " select number from document_words where words @@ cast(replace(:asked, '*.', slice || '.') as tsquery)"
    " order by number + 0 desc limit :most) as found"
    " order by found.number desc limit :most"
)


def lexemes(number: int, words: Sequence[str]) -> str:
    """Return a document's words as they are kept, written as a `tsvector`."""
    place = number // SLICE
    return " ".join(f"'{place}.{word}'" for word in words)


def find_in_slices(
    connection: Connection, words: Sequence[str], one_of: Sequence[str], most: int
) -> list[int]:
    """Return the numbers of documents that have all the words, the last one perhaps only begun, newest first.

    `one_of`: words of which they have one at least; none: that does not matter.
    """
    newest = connection.execute(_NEWEST).scalar()
    asked = " & ".join(f"'*.{word}'" for word in words) + ":*"
    if one_of:
        asked += " & (" + " | ".join(f"'*.{word}'" for word in one_of) + ")"
    found: list[int] = []
    last, count = (-1 if newest is None else newest // SLICE), 1
    while last >= 0 and len(found) < most:
        first = max(0, last - count + 1)
        values = {"asked": asked, "first": first, "last": last, "most": most - len(found)}
        found += connection.execute(_FOUND, values).scalars()
        last, count = first - 1, count * _WIDER
    return found
