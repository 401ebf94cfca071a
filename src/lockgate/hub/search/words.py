"""Words: how texts and questions are taken apart, the same for every database.

Each database is handed words that are ready, and does not cut texts by rules of its own: FTS5 in SQLite,
`tsvector` in PostgreSQL. Case and accents do not count; names_like_this and namesLikeThis are found by their
parts too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, text

from lockgate.hub.search.slices import find_in_slices, placed, stretches

#: So many words of one text are kept, and so many of one question are asked for.
MOST_WORDS = 20_000
MOST_ASKED = 12
LONGEST_WORD = 64

#: No word of a text begins so, nor does that of a project, which goes on with a digit.
_IN_TITLE = "\u00a7t"
_PIECES = re.compile(r"[^\W_]+")
_HUMPS = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*|[0-9]+")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def fold(text_: str) -> str:
    """Return a text without case and accents: `Größe` and `GROSSE` differ, `Café` and `cafe` do not."""
    if text_.isascii():
        return text_.lower()
    apart = unicodedata.normalize("NFKD", text_.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char))


def words_of(texts: Iterable[str], most: int = MOST_WORDS) -> list[str]:
    """Return the different words of some texts, in order."""
    found: dict[str, None] = {}
    for each in texts:
        for piece in _PIECES.findall(each):
            for word in _parts(piece):
                found.setdefault(word)
        if len(found) >= most:
            break
    return list(found)[:most]


def asked_words(question: str) -> list[str]:
    """Return the words a question asks for; none: it holds no word at all."""
    found: dict[str, None] = {}
    for piece in _PIECES.findall(question[:2_000]):
        for word in _cut(fold(piece)):
            found.setdefault(word)
    return list(found)[:MOST_ASKED]


def _parts(piece: str) -> Iterable[str]:
    yield from _cut(fold(piece))
    if piece.isascii() and not (piece.islower() or piece.isdigit()):
        humps = _HUMPS.findall(piece)
        if len(humps) > 1:
            for hump in humps:
                yield from _cut(hump.lower())


def _cut(word: str) -> Iterable[str]:
    """Scripts without blanks are found by pairs of characters."""
    if not word.isascii() and _WIDE.search(word):
        pairs = [word[at : at + 2] for at in range(len(word) - 1)]
        return pairs or [word]
    # Folding may bring in signs that are no letters
    return [piece[:LONGEST_WORD] for piece in _PIECES.findall(word)]


def stored(word: str) -> str:
    """Return a word as the databases keep it: in letters that none of them has rules for.

    The beginning of a word stays the beginning of what is stored.
    """
    if word.startswith(_IN_TITLE):
        return _IN_TITLE + stored(word.removeprefix(_IN_TITLE))
    return word if word.isascii() else "u" + word.encode("utf-8", "replace").hex()


def in_title(word: str) -> str:
    """Return the word by which a document is one whose title holds this one; nobody can ask for it."""
    return _IN_TITLE + word


def project_word(project: int) -> str:
    """Return the word by which a document is one of a project; nobody can ask for it."""
    return f"\u00a7{project}"


def kept_words(number: int, project: int, words: Sequence[str]) -> list[str]:
    """Return the words of a document as the databases keep them."""
    return placed(number, [project_word(project), *(stored(word) for word in words)])


def put_words(connection: Connection, rows: Sequence[tuple[int, int, Sequence[str]]]) -> None:
    """Keep the words of documents, as (number, project, words)."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(
            text("insert into document_words (rowid, words) values (:number, :words)"),
            [{"number": row[0], "words": " ".join(kept_words(*row))} for row in rows],
        )
    else:
        # All in one statement: sent one by one they take longer than everything else about a document
        connection.execute(
            text(
                "insert into document_words select number, cast(words as tsvector)"
                " from unnest(cast(:numbers as bigint[]), cast(:words as text[])) as given (number, words)"
            ),
            {"numbers": [row[0] for row in rows], "words": [tsvector(kept_words(*row)) for row in rows]},
        )


def tsvector(kept: Sequence[str]) -> str:
    """Return words as PostgreSQL reads them."""
    return " ".join(f"'{word}'" for word in kept)


def drop_words(connection: Connection, rows: Sequence[tuple[int, int, Sequence[str]]]) -> None:
    """Forget the words of documents. SQLite is to be told which they were: it keeps no copy of the text."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(
            text(
                "insert into document_words (document_words, rowid, words) values ('delete', :number, :words)"
            ),
            [{"number": row[0], "words": " ".join(kept_words(*row))} for row in rows],
        )
    else:
        connection.execute(
            text("delete from document_words where number = any(:numbers)"),
            {"numbers": [row[0] for row in rows]},
        )


def clear_words(connection: Connection) -> None:
    """Forget all words."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("insert into document_words (document_words) values ('delete-all')"))
    else:
        connection.execute(text("truncate document_words"))


def find_documents(
    connection: Connection, words: Sequence[str], projects: Sequence[int] | None, most: int
) -> list[int]:
    """Return the numbers of documents that have all the words, the last one perhaps only begun, newest first.

    `projects` None: of any.
    """
    one_of = [project_word(project) for project in projects or ()]
    return find_in_slices(connection, [stored(word) for word in words], one_of, most)


def find_by_stretches(
    connection: Connection, words: Sequence[str], most: int
) -> Iterator[tuple[int, list[int]]]:
    """Yield what `find_documents` finds in any project as it is found, each part after the number that all of
    the part, and none that follow, have at least."""
    return stretches(connection, [stored(word) for word in words], (), most)
