"""What is offered to a job that was killed, and round sizes."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.project.quantities import parse_duration, parse_size
from lockgate.runs.cost import Cost
from lockgate.runs.sizing import (
    amount_text,
    enough_memory,
    enough_walltime,
    memory_text,
    next_size,
    offer,
    round_memory,
    round_walltime,
    walltime_text,
)

MB, GB = 10**6, 10**9


@given(st.floats(0, 1e16))
def test_a_round_size_is_no_less_and_not_much_more(size_bytes: float) -> None:
    found = round_memory(size_bytes)
    assert found >= size_bytes
    assert found <= max(MB, 1.5 * size_bytes)
    assert round_memory(found) == found
    assert parse_size(memory_text(found)) == found


@given(st.floats(0, 1e8))
def test_a_round_duration_is_no_less_and_not_much_more(seconds: float) -> None:
    found = round_walltime(seconds)
    assert found >= seconds
    assert found <= max(10, 2 * seconds)
    assert round_walltime(found) == found
    assert parse_duration(walltime_text(found)) == found


@pytest.mark.parametrize(
    ("peak", "text"),
    [(0, "1 MB"), (144 * MB, "200 MB"), (1.2 * GB, "1.5 GB"), (26 * GB, "40 GB"), (9e14, "1.5 PB")],
)
def test_memory_is_asked_for_as_people_write_it(peak: float, text: str) -> None:
    assert memory_text(enough_memory(peak)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "10 s"), (9, "20 s"), (60, "2 min"), (3000, "2 h"), (20 * 3600, "2 d"), (4e6, "70 d")],
)
def test_walltime_is_asked_for_as_people_write_it(seconds: float, text: str) -> None:
    assert walltime_text(enough_walltime(seconds)) == text


@given(
    st.sampled_from(["memory", "walltime"]),
    st.lists(st.floats(0, 1e15), max_size=5),
    st.none() | st.floats(0, 1e15),
    st.none() | st.integers(1, 10**15),
)
def test_the_next_size_is_above_all_that_is_known(
    kind: str, known: list[float], reached: float | None, asked: int | None
) -> None:
    found = next_size(kind, known, reached, asked)  # type: ignore[arg-type]
    if found is None:
        assert not any([*known, reached, asked])
        return
    assert found > max([*known, reached or 0, asked or 0]) * 1.0
    if not any(each > max(reached or 0, asked or 0) for each in known):
        assert found >= 2 * (asked or 0)


def good(run: str, peak: int, seconds: float = 1.0) -> Cost:
    return Cost("s", run, seconds=seconds, peak_memory_bytes=peak)


def test_the_size_that_did_for_others_is_offered() -> None:
    earlier = [
        *(good(run, 1250 * MB) for run in "abc"),
        good("d", 700 * MB),
        Cost("s", "e", "memory", 1, 8 * GB),
    ]
    found = offer(
        "memory",
        "train@depth=4",
        reached=1.1 * GB,
        asked=GB,
        earlier=earlier,
        params={"note": "it's"},
        backend="slurm",
    )
    assert found is not None
    assert found.text == "1.5 GB"
    assert found.amount == 1500 * MB
    assert found.why == "3 of 4 such jobs needed up to 1.2 GB"
    assert shlex.split(found.command) == [
        *("lockgate", "run", "train@depth=4", "--memory", "1.5 GB", "-p", "note=it's", "--on", "slurm")
    ]
    assert '--memory "1.5 GB"' in found.command


def test_without_any_that_needed_more_it_is_doubled() -> None:
    first = offer("walltime", "s", reached=60.2, asked=60, earlier=[], params={}, backend=None)
    assert first is not None
    assert (first.text, first.why) == ("2 min", "no such job went well yet")
    later = offer(
        "walltime", "s", reached=60.2, asked=60, earlier=[good("a", 1, 5.0)], params={}, backend=None
    )
    assert later is not None
    assert (later.text, later.why) == ("2 min", "no such job is known to have needed more")
    assert later.command == 'lockgate run s --walltime "2 min"'


def test_nothing_is_offered_where_nothing_is_known() -> None:
    assert offer("memory", "s", reached=None, asked=None, earlier=[], params={}, backend=None) is None


@given(st.text(min_size=1), st.dictionaries(st.text(min_size=1), st.text(), max_size=2))
def test_what_is_offered_to_be_typed_means_what_it_says(stage: str, params: dict[str, str]) -> None:
    found = offer("memory", stage, reached=1.0, asked=GB, earlier=[], params=params, backend=None)
    assert found is not None
    words = ["lockgate", "run", stage, "--memory", amount_text("memory", 2 * GB)]
    assert shlex.split(found.command) == words + [w for k, v in params.items() for w in ("-p", f"{k}={v}")]
