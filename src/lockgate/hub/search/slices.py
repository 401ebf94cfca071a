"""Words of documents in slices: newest first, and no more of an index read than a page needs.

An index gathers all that fits before any of it is sorted or cut: GIN always, FTS5 where a word is only begun.
So each word is kept with the slice of its document's number before it, as `30.banana`: one index that is like
one for each slice. They are asked from the newest on, until there is enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select, text

from lockgate.hub.search.tables import documents

#: So many documents are a slice: what a word has in one is found in few ms, and 100 slices without any too.
SLICE = 32_768
#: After a stretch of slices that gave too little follows one so many times as long.
_WIDER = 4

_NEWEST = select(func.max(documents.c.number))
_IN_SQLITE = text(
    "select rowid from document_words where document_words match :asked order by rowid desc limit :most"
)
# `+ 0` keeps PostgreSQL from going through all documents from the last one on
_IN_POSTGRESQL = text(
    "select found.number from generate_series(cast(:first as bigint), :last) as slice, lateral ("
    " select number from document_words where words @@ cast(replace(:asked, '*.', slice || '.') as tsquery)"
    " order by number + 0 desc limit :most) as found"
    " order by found.number desc limit :most"
)


def placed(number: int, words: Sequence[str]) -> list[str]:
    """Return a document's words as they are kept."""
    place = number // SLICE
    return [f"{place}.{word}" for word in words]


def find_in_slices(
    connection: Connection, words: Sequence[str], one_of: Sequence[str], most: int
) -> list[int]:
    """Return the numbers of documents that have all the words, the last one perhaps only begun, newest first.

    `one_of`: words of which they have one at least; none: that does not matter.
    """
    return [number for _, found in stretches(connection, words, one_of, most) for number in found]


def stretches(
    connection: Connection, words: Sequence[str], one_of: Sequence[str], most: int
) -> Iterator[tuple[int, list[int]]]:
    """Yield what `find_in_slices` returns, stretch by stretch, each after the first number it begins at."""
    newest = connection.execute(_NEWEST).scalar()
    find = _in_postgresql if connection.dialect.name == "postgresql" else _in_sqlite
    last, count = (-1 if newest is None else newest // SLICE), 1
    while last >= 0 and most > 0:
        first = max(0, last - count + 1)
        found = find(connection, words, one_of, range(first, last + 1), most)
        yield first * SLICE, found
        most -= len(found)
        last, count = first - 1, count * _WIDER


def _in_sqlite(
    connection: Connection, words: Sequence[str], one_of: Sequence[str], slices: range, most: int
) -> list[int]:
    found: list[int] = []
    for place in reversed(slices):
        asked = " AND ".join(f'"{place}.{word}"' for word in words) + " *"
        if one_of:
            asked += " AND (" + " OR ".join(f'"{place}.{word}"' for word in one_of) + ")"
        found += connection.execute(_IN_SQLITE, {"asked": asked, "most": most - len(found)}).scalars()
        if len(found) >= most:
            break
    return found


def _in_postgresql(
    connection: Connection, words: Sequence[str], one_of: Sequence[str], slices: range, most: int
) -> list[int]:
    asked = " & ".join(f"'*.{word}'" for word in words) + ":*"
    if one_of:
        asked += " & (" + " | ".join(f"'*.{word}'" for word in one_of) + ")"
    values = {"asked": asked, "first": slices[0], "last": slices[-1], "most": most}
    return list(connection.execute(_IN_POSTGRESQL, values).scalars())
