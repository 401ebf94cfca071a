"""The filter of the runs table, in words people type: `accuracy > 0.9 and (depth = 8 or member = ada)`.

Parsing knows a run's own columns and what they may hold; every other name is a parameter or a metric, and
whether there is one is for the query to say. The language is described in docs/reference/filters.md.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NoReturn

import msgspec

from lockgate.errors import UserError

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~", "!~"]

#: A filter longer than this, or nested deeper, is nobody's question.
LONGEST = 4_000
DEEPEST = 40

STATES = ("queued", "preparing", "running", "recording", "succeeded", "failed", "cancelled")


class Day(msgspec.Struct, frozen=True):
    """A moment that was written as a day, a minute or a second: it lasts from `start` to before `end`
    (seconds since the epoch)."""

    start: float
    end: float


class Word(msgspec.Struct, frozen=True):
    """A value as written; `number` where it can be read as one, `is_quoted`: it is meant as a word."""

    text: str
    number: float | None = None
    is_quoted: bool = False


class Today(msgspec.Struct, frozen=True):
    """The day of asking, or so many before it: a moment that parsing cannot know."""

    days_before: int = 0


Value = Word | Day | Today


class Comparison(msgspec.Struct, frozen=True):
    """One column beside one value. `column`: a run's own (see `COLUMNS`), else as written."""

    column: str
    operator: Operator
    value: Value


class Everything(msgspec.Struct, frozen=True):
    """What no condition was put on."""


class Not(msgspec.Struct, frozen=True):
    inner: Expression


class And(msgspec.Struct, frozen=True):
    parts: tuple[Expression, ...]


class Or(msgspec.Struct, frozen=True):
    parts: tuple[Expression, ...]


Expression = Everything | Comparison | Not | And | Or

_EQUAL: tuple[Operator, ...] = ("=", "!=")
_TEXT: tuple[Operator, ...] = ("=", "!=", "~", "!~")
_ORDER: tuple[Operator, ...] = ("=", "!=", "<", "<=", ">", ">=")

#: A run's own columns, and what each may be compared by.
COLUMNS: dict[str, tuple[Operator, ...]] = {
    "run": _TEXT,
    "project": _TEXT,
    "state": _EQUAL,
    "branch": _TEXT,
    "commit": _TEXT,
    "member": _TEXT,
    "cause": _TEXT,
    "created": _ORDER,
    "seconds": _ORDER,
}
ALIASES = {
    "id": "run",
    "status": "state",
    "where": "branch",
    "ref": "branch",
    "by": "member",
    "who": "member",
    "created_at": "created",
    "date": "created",
    "duration": "seconds",
}

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<operator>==|!=|<>|<=|>=|!~|=|<|>|~)
    | (?P<bracket>[(),])
    | (?P<word>[^\s()<>=!~"',]+)
    )""",
    re.VERBOSE,
)
_MOMENT = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?Z?",
)
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|min|m|h|d)")
_UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class _Token(msgspec.Struct, frozen=True):
    kind: str
    """`string`, `operator`, `bracket`, `word` or `end`."""
    text: str
    at: int


def parse(text: str) -> Expression:
    """Return what a filter means; nothing but blanks means every run.

    Raises `UserError` (`filter-invalid`), which tells the column or the place, and what is allowed there.
    """
    if len(text) > LONGEST:
        _refuse(f"a filter has at most {LONGEST} characters, not {len(text)}", "Ask for less at once.")
    reader = _Reader(text, list(_tokens(text)))
    if reader.next.kind == "end":
        return Everything()
    expression = reader.either(0)
    if reader.next.kind != "end":
        reader.refuse("`and`, `or` or the end")
    return expression


def number_of(text: str) -> float | None:
    """Return the finite number that a text is, or None."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if abs(value) < 1e308 else None


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at:].lstrip()
            if not rest:
                break
            start = len(text) - len(rest)
            what = "a quote that is not closed" if rest[0] in "\"'" else f"`{rest[0]}`"
            _refuse(f"the filter cannot be read at character {start + 1}: {what}", _EXAMPLE)
        kind = found.lastgroup or ""
        yield _Token(kind, found.group(kind), found.start(kind))
        at = found.end()
    yield _Token("end", "", len(text))


_EXAMPLE = "For example: accuracy > 0.9 and depth = 8; state = failed; not (member = ada or branch ~ exp)"


class _Reader:
    """Recursive descent: either, both, one."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._at]

    def refuse(self, wanted: str) -> NoReturn:
        token = self.next
        found = f"`{token.text}`" if token.kind != "end" else "the end"
        _refuse(f"the filter has {found} at character {token.at + 1}, where {wanted} should be", _EXAMPLE)

    def either(self, depth: int) -> Expression:
        parts = [self._both(depth)]
        while self._takes("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self, depth: int) -> Expression:
        parts = [self._one(depth)]
        while self._takes("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, depth: int) -> Expression:
        if depth > DEEPEST:
            _refuse(f"the filter is nested deeper than {DEEPEST} times", "Write it flatter.")
        if self._takes("not"):
            return Not(self._one(depth + 1))
        if self.next.text == "(" and self.next.kind == "bracket":
            self._at += 1
            inside = self.either(depth + 1)
            if self.next.text != ")" or self.next.kind != "bracket":
                self.refuse("`)`")
            self._at += 1
            return inside
        return self._comparison()

    def _comparison(self) -> Expression:
        token = self.next
        if token.kind not in ("word", "string"):
            self.refuse("a column, `not` or `(`")
        self._at += 1
        written = _unquoted(token)
        column = written
        if token.kind == "word":
            column = ALIASES.get(written.lower(), written)
            column = column.lower() if column.lower() in COLUMNS else column
        if self._takes("in"):
            return self._among(column)
        if self._next_is_not_in():
            self._at += 2
            return Not(self._among(column))
        if self.next.kind != "operator":
            allowed = " ".join(COLUMNS.get(column, ("=", "!=", "<", "<=", ">", ">=", "~", "!~")))
            self.refuse(f"one of {allowed} after `{written}`")
        operator = _OPERATORS[self.next.text]
        self._at += 1
        _check_operator(column, operator)
        return _compare(column, operator, self._value(column))

    def _among(self, column: str) -> Expression:
        if self.next.text != "(":
            self.refuse(f"`(` and the values that `{column}` may have")
        self._at += 1
        parts = [_compare(column, "=", self._value(column))]
        while self.next.text == "," and self.next.kind == "bracket":
            self._at += 1
            parts.append(_compare(column, "=", self._value(column)))
        if self.next.text != ")":
            self.refuse("`,` or `)`")
        self._at += 1
        return Or(tuple(parts)) if len(parts) > 1 else parts[0]

    def _value(self, column: str) -> Value:
        token = self.next
        if token.kind not in ("word", "string"):
            self.refuse(f"the value for `{column}`")
        self._at += 1
        text = _unquoted(token)
        # `2 min` is two words of one value
        following = self.next
        if (
            column == "seconds"
            and token.kind == "word"
            and following.kind == "word"
            and following.text.lower() in _UNITS
        ):
            self._at += 1
            text = f"{text} {following.text}"
        return _read_value(column, text, is_quoted=token.kind == "string")

    def _takes(self, keyword: str) -> bool:
        if self.next.kind == "word" and self.next.text.lower() == keyword:
            self._at += 1
            return True
        return False

    def _next_is_not_in(self) -> bool:
        pair = self._tokens[self._at : self._at + 2]
        return [each.text.lower() for each in pair] == ["not", "in"] and all(e.kind == "word" for e in pair)


_OPERATORS: dict[str, Operator] = {
    "=": "=", "==": "=", "!=": "!=", "<>": "!=",
    "<": "<", "<=": "<=", ">": ">", ">=": ">=", "~": "~", "!~": "!~",
}  # fmt: skip


def _unquoted(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.S) if token.kind == "string" else token.text


def _check_operator(column: str, operator: Operator) -> None:
    allowed = COLUMNS.get(column)
    if allowed is not None and operator not in allowed:
        _refuse(
            f"the column `{column}` cannot be compared by `{operator}`",
            f"It can by {' '.join(allowed)}",
        )


def _compare(column: str, operator: Operator, value: Value) -> Comparison:
    is_word = isinstance(value, Word) and value.number is None
    if column not in COLUMNS and operator in ("<", "<=", ">", ">=") and is_word:
        _refuse(
            f"the column `{column}` is compared by `{operator}` with a number, not with a word",
            f"For example: {column} {operator} 0.9. Words are compared by = != ~ !~",
        )
    return Comparison(column, operator, value)


def _read_value(column: str, text: str, *, is_quoted: bool) -> Value:
    if column == "state":
        if text.lower() not in STATES:
            near = difflib.get_close_matches(text.lower(), STATES, 1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            _refuse(f"the column `state` is never `{text}`{meant}", f"It is one of {', '.join(STATES)}")
        return Word(text.lower())
    if column == "created":
        return _read_moment(text)
    if column == "seconds":
        return Word(text, _read_length(text))
    return Word(text, None if is_quoted else number_of(text), is_quoted)


def _read_moment(text: str) -> Value:
    word = text.lower()
    if word in ("today", "yesterday"):
        return Today(0 if word == "today" else 1)
    if found := re.fullmatch(r"(\d{1,5})\s*d(?:ays?)?(?:\s+ago)?", word):
        return Today(int(found[1]))
    found = _MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day = (int(each) for each in found.groups()[:3])
        if found[4] is None:
            start = datetime(year, month, day, tzinfo=UTC)
            length = timedelta(days=1)
        else:
            start = datetime(year, month, day, int(found[4]), int(found[5]), int(found[6] or 0), tzinfo=UTC)
            length = timedelta(seconds=1 if found[6] is not None else 60)
    except ValueError:
        _refuse(
            f"the column `created` is a day or a time, not `{text}`",
            "Write it as 2026-11-01, 2026-11-01T14:30 (UTC), today, yesterday or 7d (seven days ago)",
        )
    return Day(start.timestamp(), start.timestamp() + length.total_seconds())


def _read_length(text: str) -> float:
    number = number_of(text)
    if number is not None:
        return number
    found = _LENGTH.fullmatch(text.strip().lower())
    if found is None:
        _refuse(
            f"the column `seconds` is a number, not `{text}`",
            "Write it as 90, or with a unit: 90 s, 2 min, 1.5 h",
        )
    return float(found[1]) * _UNITS[found[2]]


def day_of(value: Today, now: float) -> Day:
    """Return the day that was meant, by the time of asking (seconds since the epoch, UTC)."""
    today = datetime.fromtimestamp(now, UTC).date()
    try:
        wanted: date = today - timedelta(days=value.days_before)
    except OverflowError:
        wanted = date.min
    if wanted.year < 1970:
        return Day(0.0, 86_400.0)
    start = datetime(wanted.year, wanted.month, wanted.day, tzinfo=UTC).timestamp()
    return Day(start, start + 86_400)


def near(column: str, known: list[str]) -> str:
    """Return the names that may have been meant, as a hint."""
    found = difflib.get_close_matches(column, known, 3, 0.5) or known[:8]
    return ", ".join(found)


def _refuse(message: str, hint: str) -> NoReturn:
    raise UserError(message, hint, code="filter-invalid")
