"""What a run is said to take."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from lockgate.project.pipeline import Resources
from lockgate.runs.cost import Expected
from lockgate.runs.forecast import RunForecast, StageForecast, forecast_lines, warnings_of, ways, whole
from lockgate.runs.sizing import next_size

GB = 10**9


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    names = [f"s{number}" for number in range(draw(st.integers(0, 7)))]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:at]), unique=True)) if at else [])
        for at, name in enumerate(names)
    }


@given(graphs(), st.data())
def test_the_longest_way_is_the_longest_of_all_ways(
    graph: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    some = st.dictionaries(st.sampled_from(sorted(graph)), st.integers(0, 100)) if graph else st.just({})
    seconds = {name: float(value) for name, value in data.draw(some).items()}
    at_once, in_turn = ways(graph, seconds)
    chains = [
        chain
        for length in range(len(graph) + 1)
        for chain in itertools.combinations(graph, length)
        if all(before in graph[after] for before, after in itertools.pairwise(chain))
    ]
    assert at_once == max(sum(seconds.get(name, 0.0) for name in chain) for chain in chains)
    assert in_turn == sum(seconds.values())


def stage(name: str, **more: object) -> StageForecast:
    values: dict[str, object] = {"action": "run", "reason": "never run", "backend": "local", **more}
    return StageForecast(stage=name, resources=Resources(), **values)  # type: ignore[arg-type]


def run(*stages: StageForecast, **more: object) -> RunForecast:
    values: dict[str, object] = {
        "project": "p",
        "commit": "c",
        "runtime": "r",
        "is_runtime_ready": True,
        **more,
    }
    return RunForecast(stages=stages, **values)  # type: ignore[arg-type]


def test_the_whole_in_words() -> None:
    assert whole(run(stage("a"))) == "no earlier run to go by"
    same = {"seconds_at_once": 180.2, "seconds_in_turn": 180.4}
    assert whole(run(stage("a"), **same)) == "about 3 min"
    other = {"seconds_at_once": 180.0, "seconds_in_turn": 720.0, "memory_most_bytes": 1_200_000_000}
    assert whole(run(stage("a"), **other)) == "about 3 min at once, 12 min in turn, 1.2 GB a job at most"
    assert (
        whole(run(stage("a"), **same, unknown=("b", "c")))
        == "about 3 min; and b, c, of which no time is known"
    )
    many = tuple("abc")
    assert (
        whole(run(stage("a"), **same, unknown=many)) == "about 3 min; and 3 stages, of which no time is known"
    )


def test_a_receipt_has_a_line_and_few_warnings() -> None:
    assert forecast_lines(run(stage("a", action="cached"))) == ()
    assert forecast_lines(run()) == ()
    warned = [stage(name, warnings=("asks for too little",)) for name in "abcde"]
    lines = forecast_lines(run(*warned))
    assert len(lines) == 5
    assert lines[1] == "careful: a asks for too little"
    assert lines[-1] == "careful: 2 more such: lockgate run --dry-run"


def where(key: str) -> str:
    return {"memory": "lockgate.toml:12", "walltime": "lockgate.toml:13"}[key]


def test_asking_for_less_than_it_took_is_told() -> None:
    asked = Resources(memory_bytes=GB, walltime_s=60)
    took = Expected(job_count=5, memory_most_bytes=1_200_000_000, seconds_most=70.0)
    assert warnings_of(asked, took, where) == (
        "asks for 1.0 GB of memory; took 1.2 GB at most in 5 earlier jobs: it will be killed; ask for 1.5 GB"
        " (lockgate.toml:12)",
        "asks for 1 min; took 1 min 10 s at most in 5 earlier jobs: it will be killed; ask for 2 min"
        " (lockgate.toml:13)",
    )
    of_others = Expected(job_count=1, is_of_others=True, memory_most_bytes=2 * GB)
    assert "in 1 earlier job of other members" in warnings_of(asked, of_others, where)[0]


def test_asking_for_what_was_not_enough_the_last_time_is_told() -> None:
    asked = Resources(memory_bytes=GB, walltime_s=60)
    killed = Expected(killed_at_bytes=1_050_000_000, killed_after_s=60.0)
    assert warnings_of(asked, killed, where) == (
        "asks for 1.0 GB of memory; was killed at 1.1 GB the last time; ask for 2 GB (lockgate.toml:12)",
        "asks for 1 min; was killed at 1 min the last time; ask for 2 min (lockgate.toml:13)",
    )
    assert warnings_of(Resources(memory_bytes=2 * GB, walltime_s=120), killed, where) == ()


def test_enough_or_unlimited_or_unknown_is_not_warned_of() -> None:
    took = Expected(job_count=5, memory_most_bytes=GB, seconds_most=60.0)
    assert warnings_of(Resources(memory_bytes=GB, walltime_s=60), took, where) == ()
    assert warnings_of(Resources(), took, where) == ()
    assert warnings_of(Resources(memory_bytes=1), None, where) == ()


@given(killed=st.integers(1, 10**13), asked=st.none() | st.integers(1, 10**13))
def test_what_is_offered_after_a_kill_is_not_warned_of(killed: int, asked: int | None) -> None:
    offered = next_size("memory", [], killed, asked)
    assert offered is not None
    expected = Expected(killed_at_bytes=killed)
    assert warnings_of(Resources(memory_bytes=offered), expected, where) == ()


@given(killed=st.integers(1, 10**7), asked=st.none() | st.integers(1, 10**7))
def test_nor_is_the_time(killed: int, asked: int | None) -> None:
    offered = next_size("walltime", [], killed, asked)
    assert offered is not None
    assert warnings_of(Resources(walltime_s=offered), Expected(killed_after_s=killed), where) == ()
