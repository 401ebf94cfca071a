"""The language of filters: what people type is understood, all else is refused with words that help."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.hub.search.filters import (
    COLUMNS,
    And,
    Comparison,
    Day,
    Everything,
    Expression,
    Not,
    Or,
    Today,
    Word,
    day_of,
    parse,
)


def number(text: str) -> Word:
    return Word(text, float(text))


def at(*words: int) -> float:
    return datetime(*words, tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]


ACCURATE = Comparison("accuracy", ">", number("0.9"))
DEEP = Comparison("depth", "=", number("8"))
FAILED = Comparison("state", "=", Word("failed"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Everything()),
        (" \n\t ", Everything()),
        ("accuracy > 0.9", ACCURATE),
        ("accuracy>0.9 and depth == 8", And((ACCURATE, DEEP))),
        ("accuracy > 0.9 AND depth = 8 OR state = Failed", Or((And((ACCURATE, DEEP)), FAILED))),
        ("accuracy > 0.9 and (depth = 8 or status = failed)", And((ACCURATE, Or((DEEP, FAILED))))),
        ("not state = failed", Not(FAILED)),
        ("not not (state=failed)", Not(Not(FAILED))),
        ('member = ada or branch ~ "exp"', Or((Comparison("member", "=", Word("ada")),
                                              Comparison("branch", "~", Word("exp", None, True))))),
        ("depth in (4, 8)", Or((Comparison("depth", "=", number("4")), DEEP))),
        ("depth not in (8)", Not(DEEP)),
        ("created > 2026-11-01", Comparison("created", ">", Day(at(2026, 11, 1), at(2026, 11, 2)))),
        ('created <= "2026-11-01 14:30"',
         Comparison("created", "<=", Day(at(2026, 11, 1, 14, 30), at(2026, 11, 1, 14, 31)))),
        ("created = 2026-11-01T14:30:05Z",
         Comparison("created", "=", Day(at(2026, 11, 1, 14, 30, 5), at(2026, 11, 1, 14, 30, 6)))),
        ("created >= yesterday", Comparison("created", ">=", Today(1))),
        ("created > 7d", Comparison("created", ">", Today(7))),
        ("duration > 2 min", Comparison("seconds", ">", Word("2 min", 120.0))),
        ("seconds<1.5h", Comparison("seconds", "<", Word("1.5h", 5400.0))),
        ("metrics.json:accuracy >= -1e-3", Comparison("metrics.json:accuracy", ">=", number("-1e-3"))),
        ('"a name" != \'it\\\'s\'', Comparison("a name", "!=", Word("it's", None, True))),
        ("kind = gini", Comparison("kind", "=", Word("gini"))),
        ('depth = "8"', Comparison("depth", "=", Word("8", None, True))),
        ("straße ~ größe", Comparison("straße", "~", Word("größe"))),
        ('"state" = failed', FAILED),
    ],
)  # fmt: skip
def test_what_is_meant(text: str, expected: Expression) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("state = faild", "did you mean failed"),
        ("state > failed", "`state` cannot be compared by `>`"),
        ("member < ada", "`member` cannot be compared by `<`"),
        ("created ~ 2026", "`created` cannot be compared by `~`"),
        ("created > 2026-13-01", "`created` is a day or a time"),
        ("created > soon", "2026-11-01"),
        ("seconds > long", "`seconds` is a number"),
        ("accuracy > high", "`accuracy` is compared by `>` with a number"),
        ("accuracy", "one of = != < <= > >= ~ !~ after `accuracy`"),
        ("state", "one of = != after `state`"),
        ("accuracy >", "the end at character 11, where the value for `accuracy`"),
        ("accuracy > 0.9 depth = 8", "`depth` at character 16, where `and`"),
        ("(accuracy > 0.9", "where `)` should be"),
        ("accuracy > 0.9)", "`)` at character 15"),
        ("> 0.9", "`>` at character 1, where a column"),
        ("a = 1 and", "the end at character 10"),
        ("a in 4", "`(` and the values that `a` may have"),
        ("a in (4 5)", "`,` or `)`"),
        ('a = "open', "a quote that is not closed"),
        ("a = 1; drop table runs", "where `and`"),
        ("a ! 1", "`!`"),
        ("(" * 100 + "a=1" + ")" * 100, "nested deeper"),
        ("not " * 100 + "a=1", "nested deeper"),
        ("a=1 or " * 1000, "at most 4000 characters"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    assert caught.value.code == "filter-invalid"
    assert told in str(caught.value)
    assert caught.value.hint


def test_days_by_the_time_of_asking() -> None:
    now = at(2026, 3, 1, 13, 5)
    assert day_of(Today(), now) == Day(at(2026, 3, 1), at(2026, 3, 2))
    assert day_of(Today(1), now) == Day(at(2026, 2, 28), at(2026, 3, 1))
    assert day_of(Today(99_999), now).end > 0


@given(st.text(max_size=200))
def test_any_text_is_understood_or_refused_in_words(text: str) -> None:
    try:
        parse(text)
    except UserError as error:
        assert error.code == "filter-invalid" and error.message and error.hint


ALIAS_WORDS = ("id", "status", "where", "ref", "by", "who", "created_at", "date", "duration")
words = st.text("abcdefgäß.:/_-09 'é\"\\()<>=~,", min_size=1, max_size=12)
numbers = st.floats(-1e300, 1e300).map(lambda value: Word(repr(value), value))
foreign = words.filter(lambda word: word.lower() not in (*COLUMNS, *ALIAS_WORDS))
comparisons = st.one_of(
    st.builds(Comparison, foreign, st.sampled_from(["=", "!=", "<", ">", "<=", ">="]), numbers),
    st.builds(
        Comparison, foreign, st.sampled_from(["=", "!=", "~", "!~"]), words.map(lambda w: Word(w, None, True))
    ),
)
expressions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def written(expression: Expression) -> str:
    if isinstance(expression, Comparison):
        assert isinstance(expression.value, Word)
        value = quoted(expression.value.text) if expression.value.is_quoted else expression.value.text
        return f"{quoted(expression.column)}{expression.operator}{value}"
    if isinstance(expression, Not):
        return f"not ({written(expression.inner)})"
    assert isinstance(expression, And | Or)
    sign = " and " if isinstance(expression, And) else " OR "
    return sign.join(f"({written(part)})" for part in expression.parts)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(expressions)
def test_what_is_written_is_read_as_meant(expression: Expression) -> None:
    assert parse(written(expression)) == expression
