"""Which report a table is compared with."""

from __future__ import annotations

from msgspec.structs import replace

from lockgate.data.acceptance import Acceptance, in_words, reference

SAID = Acceptance(
    path="x.csv", run="R", report="new", replaces="old", drift={"n": 2.5}, words="a new airport", by="ada",
    at="2026-11-26T00:00:00Z",
)  # fmt: skip


def test_what_was_accepted_counts_where_the_report_it_replaces_lies() -> None:
    assert reference([], "old") == "old"
    assert reference([SAID], "old") == "new"
    # A version that passed since left a report of its own
    assert reference([SAID], "later") == "later" and reference([SAID], "new") == "new"


def test_of_two_the_newest_counts() -> None:
    again = replace(SAID, report="newer", at="2026-11-27T00:00:00Z")
    assert reference([again, SAID], "old") == "newer"


def test_it_is_told_in_one_line() -> None:
    assert in_words(SAID) == "drift of n 2.500 accepted by ada on 2026-11-26: a new airport"
    assert in_words(replace(SAID, name="winter")).startswith("drift of n 2.500 accepted as winter by ada")
