"""Activities by the words of their titles, newest first.

What few titles hold is gathered by the index of words and put in order, no further back than a page needs.
What many hold is found soon by going through the newest activities; where it is not, because they were long
ago, it is gathered all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from lockgate.hub.search.document import OF_ENTRIES
from lockgate.hub.search.first import first_rows
from lockgate.hub.search.narrowing import is_among
from lockgate.hub.search.tables import activities, documents
from lockgate.hub.search.words import find_by_stretches, find_documents, fold, in_title, words_of

#: More activities than these are not gathered at once.
FEW = 8_000
#: After so many stretches of documents it is looked whether the others can be left; later that costs more.
_NEAR = 2
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
    until: float | None,
    limit: int,
) -> list[Row[Any]]:
    """Return the newest activities whose titles hold all the words, the last one perhaps only begun.

    `words` are those of `asked_words`; none: nothing is found. `until`: the conditions let none through that
    is newer than this; None: that is not known.
    """
    own = list(projects)
    if not words or not own:
        return []
    marked = [in_title(word) for word in words]
    count, times = 0, list[tuple[float, int]]()
    # Of any project: that is quicker than to have the index look for some
    for stretch, (first, found) in enumerate(find_by_stretches(connection, marked, FEW + 1)):
        count += len(found)
        if count > FEW:
            break
        times += _times(connection, own, found)
        if len(times) >= limit and first and stretch < _NEAR:
            rows = _gathered(connection, times, conditions, limit)
            if len(rows) >= limit and not _is_any_newer(connection, first, rows[-1].at, until):
                return rows
    if count <= FEW:
        return _gathered(connection, times, conditions, limit)
    walked = _walked(connection, own, words, conditions, limit)
    if walked is None:
        named = own if len(own) <= _NAMED else None
        found = find_documents(connection, marked, named, _ALL)
        return _gathered(connection, _times(connection, own, found), conditions, limit)
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


def _is_any_newer(connection: Connection, first: int, at: float, until: float | None) -> bool:
    """Return whether a document with a number below the first may stand on a page that ends at this time:
    numbers are given as documents come in, which is nearly, not always, as things were done."""
    conditions = [documents.c.at >= at]
    if until is not None:
        conditions.append(documents.c.at <= until)
    # `+ 0`: else PostgreSQL goes through all documents from the first one on until one is new enough
    least = connection.execute(select(func.min(documents.c.number + 0)).where(*conditions)).scalar()
    return least is not None and least < first


def _gathered(
    connection: Connection,
    times: Iterable[tuple[float, int]],
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
) -> list[Row[Any]]:
    """Return a page of the activities of these documents: no more of them are looked up than fill it."""
    rows: list[Row[Any]] = []
    parts = _by_time(sorted(times, reverse=True), 2 * limit)
    while len(rows) < limit and (part := next(parts, None)):
        rows += _activities_of(connection, part, conditions, limit - len(rows))
    return rows


def _times(connection: Connection, own: Sequence[int], found: Sequence[int]) -> list[tuple[float, int]]:
    """Return when what these documents tell of was done, and their numbers."""
    if not found:
        return []
    question = select(documents.c.at, documents.c.number).where(
        is_among(connection, documents.c.number, found),
        # Named by its number alone: a database that knows projects' documents would go through all of theirs
        (documents.c.project + 0).in_(own),
        documents.c.kind.in_(OF_ENTRIES),
    )
    return [(at, number) for at, number in connection.execute(question)]


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
