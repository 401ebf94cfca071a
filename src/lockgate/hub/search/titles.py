"""Activities by the words of their titles, newest first.

What few titles hold is gathered by the index of words and put in order. What many hold is found soon by going
through the newest activities; where it is not, because they were long ago, it is gathered all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from lockgate.hub.search.document import OF_ENTRIES
from lockgate.hub.search.first import first_rows
from lockgate.hub.search.narrowing import is_among
from lockgate.hub.search.tables import activities, documents
from lockgate.hub.search.words import find_documents, fold, in_title, words_of

#: More activities than these are not gathered at once.
FEW = 8_000
#: So many are gone through, in stretches that grow to the second number.
WALKED = 8_000
_STRETCH = 4_000
#: So many projects are named to the index of words; among more, what it finds is looked through.
_NAMED = 100
_ALL = 1 << 31

_columns = activities.c


def titled(
    connection: Connection,
    projects: Iterable[int],
    words: Sequence[str],
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
) -> list[Row[Any]]:
    """Return the newest activities whose titles hold all the words, the last one perhaps only begun.

    `words` are those of `asked_words`; none: nothing is found.
    """
    own = list(projects)
    if not words or not own:
        return []
    marked = [in_title(word) for word in words]
    # Of any project: that is quicker than to have the index look for some
    found = find_documents(connection, marked, None, FEW + 1)
    if len(found) <= FEW:
        return _gathered(connection, own, found, conditions, limit)
    walked = _walked(connection, own, words, conditions, limit)
    if walked is None:
        named = own if len(own) <= _NAMED else None
        found = find_documents(connection, marked, named, _ALL)
        return _gathered(connection, own, found, conditions, limit)
    return _rows(connection, walked)


def older_than(at: float, number: int) -> ColumnElement[bool]:
    """Return the condition of an activity that it comes after this one, newest first."""
    return and_(_columns.at <= at, or_(_columns.at < at, _columns.number < number))


def holds(title: str, words: Sequence[str]) -> bool:
    """Return whether a title holds all the words, the last one perhaps only begun."""
    folded = fold(title)
    if not all(word in folded for word in words):
        return False
    *whole, last = words
    there = words_of([title])
    return set(whole) <= set(there) and any(word.startswith(last) for word in there)


def _gathered(
    connection: Connection,
    own: Sequence[int],
    found: Sequence[int],
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
) -> list[Row[Any]]:
    """Return a page of the activities of these documents: no more of them are looked up than fill it."""
    rows: list[Row[Any]] = []
    parts = _by_time(_times(connection, own, found), 2 * limit)
    while len(rows) < limit and (part := next(parts, None)):
        rows += _activities_of(connection, part, conditions, limit - len(rows))
    return rows


def _times(connection: Connection, own: Sequence[int], found: Sequence[int]) -> list[tuple[float, int]]:
    """Return when what these documents tell of was done, and their numbers, the newest first."""
    if not found:
        return []
    question = select(documents.c.at, documents.c.number).where(
        is_among(connection, documents.c.number, found),
        # Named by its number alone: a database that knows projects' documents would go through all of theirs
        (documents.c.project + 0).in_(own),
        documents.c.kind.in_(OF_ENTRIES),
    )
    return sorted(((at, number) for at, number in connection.execute(question)), reverse=True)


def _by_time(times: Sequence[tuple[float, int]], count: int) -> Iterator[list[int]]:
    """Yield documents in parts that grow, those of one moment together: activities order them."""
    start = 0
    while start < len(times):
        end = min(start + count, len(times))
        while end < len(times) and times[end][0] == times[end - 1][0]:
            end += 1
        yield [number for _, number in times[start:end]]
        start, count = end, 4 * count


def _activities_of(
    connection: Connection, part: Sequence[int], conditions: Sequence[ColumnElement[bool]], limit: int
) -> list[Row[Any]]:
    question = (
        select(activities)
        .join(documents, and_(_columns.project == documents.c.project, _columns.entry == documents.c.key))
        .where(is_among(connection, documents.c.number, part), *conditions)
        .order_by(_columns.at.desc(), _columns.number.desc())
        .limit(limit)
    )
    return list(connection.execute(question))


def _walked(
    connection: Connection,
    own: Sequence[int],
    words: Sequence[str],
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
) -> list[int] | None:
    """Return the numbers of a page; None: the newest activities do not fill one."""
    shown = (_columns.number, _columns.project, _columns.at, _columns.title)
    found: list[int] = []
    place: list[ColumnElement[bool]] = []
    stretch, left = 4 * limit, WALKED
    while left > 0:
        rows = first_rows(connection, shown, own, [*conditions, *place], _columns.at, stretch)
        found += [row.number for row in rows if holds(row.title, words)]
        if len(found) >= limit or len(rows) < stretch:
            return found[:limit]
        place = [older_than(rows[-1].at, rows[-1].number)]
        left -= stretch
        stretch = min(4 * stretch, _STRETCH)
    return None


def _rows(connection: Connection, numbers: Sequence[int]) -> list[Row[Any]]:
    question = select(activities).where(is_among(connection, _columns.number, numbers))
    return list(connection.execute(question.order_by(_columns.at.desc(), _columns.number.desc())))
