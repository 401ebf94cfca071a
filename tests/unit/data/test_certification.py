"""How a version of a dataset stands by what was said of it."""

from __future__ import annotations

import pytest

from lockgate.data.certification import Certification, in_words, last_day, standing
from lockgate.errors import UserError

TODAY = "2026-11-26"


def said(content: str, until: str = "2027-01-01", *, is_withdrawal: bool = False) -> Certification:
    return Certification(
        path="a.csv",
        content=content,
        commit="c" * 40,
        by="sten",
        at="2026-01-01T00:00:00Z",
        until="" if is_withdrawal else until,
        is_withdrawal=is_withdrawal,
    )


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ([], "none"),
        ([said("new")], "certified"),
        ([said("new", TODAY)], "certified"),
        ([said("new", "2026-11-25")], "expired"),
        ([said("old")], "changed"),
        ([said("new", is_withdrawal=True), said("new")], "withdrawn"),
        ([said("new"), said("new", is_withdrawal=True)], "certified"),
        ([said("old"), said("new")], "certified"),
        ([said("old", is_withdrawal=True)], "none"),
        ([said("old", is_withdrawal=True), said("older")], "changed"),
    ],
)
def test_a_version_stands_by_the_newest_word_on_it(found: list[Certification], word: str) -> None:
    stands = standing(found, "new", TODAY)
    assert stands.word == word and stands.is_certified == (word == "certified")
    assert ("sten" in in_words(stands)) == (stands.certification is not None)


def test_no_content_is_not_certified() -> None:
    assert standing([said("new")], None, TODAY).word == "changed"
    assert standing([], None, TODAY).word == "none"


def test_the_last_day() -> None:
    assert last_day("", TODAY) == "2027-11-26"
    assert last_day(TODAY, TODAY) == TODAY
    assert last_day("2031-11-26", TODAY) == "2031-11-26"


@pytest.mark.parametrize(
    "until", ["2026-11-25", "2040-01-01", "soon", "2027-02-30", "2027-01-01T00:00Z", "٢٠٢٧-٠١-٠١"]
)
def test_a_day_that_cannot_be_meant_is_refused(until: str) -> None:
    with pytest.raises(UserError) as refused:
        last_day(until, TODAY)
    assert refused.value.code == "certification-invalid"
