"""Which trials are asked for, and what they tell."""

from __future__ import annotations

from lockgate.verify.cause import AGAIN, MADE, RECORDED, Search, search

HELD = ("time", "seed", "hash", "threads")


def told(results: dict[str, str]) -> Search:
    """`results`: trial → what it made, in a word."""
    return search(
        [name for name in results if name not in (MADE, RECORDED)],
        results.__contains__,
        lambda one, other: results[one] == results[other],
    )


def steady(**others: str) -> dict[str, str]:
    found = {RECORDED: "then", MADE: "now"}
    found |= dict.fromkeys((*AGAIN, *HELD, "locale", "other-locale", "variables"), "now")
    return found | {name.replace("_", "-"): value for name, value in others.items()}


def unsteady(held: str) -> dict[str, str]:
    names = [*AGAIN, *(name for factor in (*HELD, "all") for name in (factor, f"{factor}.2", f"{factor}.3"))]
    found = {name: ("same" if name.partition(".")[0] == held else name) for name in names}
    return {RECORDED: "then", MADE: "now"} | found


def test_first_it_is_run_again_and_with_each_thing_held() -> None:
    assert search([], lambda _: False, lambda *_: False).trials[:2] == AGAIN


def test_what_brings_the_recorded_result_back_is_certain() -> None:
    (found,) = told(steady(other_locale="then")).told
    assert (found.factor, found.is_certain) == ("locale", True)
    (found,) = told(steady(other_locale="third", time="then")).told
    assert (found.factor, found.is_certain) == ("time", True)


def test_what_changes_the_result_is_likely_and_nothing_is_unknown() -> None:
    (found,) = told(steady(variables="third")).told
    assert (found.factor, found.is_certain) == ("variables", False)
    assert told(steady()) == Search()


def test_what_is_the_same_three_times_is_the_cause() -> None:
    for factor in (*HELD, "all"):
        (found,) = told(unsteady(factor)).told
        assert found.factor == factor
    assert told(unsteady("nothing")) == Search()


def test_a_stage_that_changes_each_time_is_tried_more_often() -> None:
    first = {name: name for name in (*AGAIN, *HELD, MADE, RECORDED)}
    assert "time.3" in told(first).trials
    assert "all" in told(first).trials


def test_a_trial_that_failed_is_not_asked_for_again() -> None:
    results = unsteady("seed")
    del results["threads"]
    found = search(
        [*results, "threads"], results.__contains__, lambda one, other: results[one] == results[other]
    )
    assert [each.factor for each in found.told] == ["seed"]
