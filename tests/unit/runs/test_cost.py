"""What is kept of jobs' costs, and what is expected from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate.runs.cost import KEPT, Cost, Expected, expect, remember, shared_name

_costs = st.builds(
    Cost,
    stage=st.sampled_from(["s@n=1", "s@n=2"]),
    run=st.text("AB", min_size=1, max_size=3),
    ending=st.sampled_from(["succeeded", "memory", "walltime"]),
    seconds=st.none() | st.floats(0, 1e6),
    peak_memory_bytes=st.none() | st.integers(0, 10**13),
)


def test_members_share_a_name_that_no_stage_has() -> None:
    assert shared_name("train") is None
    assert shared_name("train@depth=4") == shared_name("train@depth=8,a=b@c") == "train@"


@given(st.lists(_costs, max_size=40))
def test_the_latest_are_kept_and_each_job_once(costs: list[Cost]) -> None:
    found: dict[str, tuple[Cost, ...]] = {}
    for cost in costs:
        found = remember(found, [cost])
        assert found[cost.stage][0] == found["s@"][0] == cost
        assert remember(found, [cost]) == found
    assert remember({}, costs) == found
    assert found.keys() == ({cost.stage for cost in costs} | {"s@"} if costs else set())
    kept = found.get("s@", ())
    jobs = [(cost.stage, cost.run) for cost in kept]
    assert len(jobs) == len(set(jobs)) <= KEPT
    newest = list(dict.fromkeys((cost.stage, cost.run) for cost in reversed(costs)))
    assert jobs == newest[: len(jobs)]
    assert len(jobs) == min(KEPT, len(newest)) or len(newest) > KEPT


@given(st.lists(_costs, max_size=KEPT), st.lists(_costs, max_size=KEPT))
def test_what_is_expected_lies_within_what_was(own: list[Cost], members: list[Cost]) -> None:
    found = expect(own, members)
    good = [cost for cost in own if cost.ending == "succeeded"]
    others = [cost for cost in members if cost.ending == "succeeded"]
    if found is None:
        assert not own
        assert not others
        return
    looked_at = good or others
    assert found.job_count == len(looked_at)
    assert found.is_of_others == (not good and bool(others))
    seconds = sorted(cost.seconds for cost in looked_at if cost.seconds is not None)
    peaks = sorted(cost.peak_memory_bytes for cost in looked_at if cost.peak_memory_bytes is not None)
    assert (found.seconds is None) == (not seconds) == (found.seconds_most is None)
    assert (found.memory_bytes is None) == (not peaks) == (found.memory_most_bytes is None)
    if found.seconds is not None:
        assert found.seconds in seconds
        assert sum(each < found.seconds for each in seconds) <= len(seconds) / 2
        assert sum(each > found.seconds for each in seconds) <= len(seconds) / 2
        assert found.seconds_most == seconds[-1]
    if found.memory_bytes is not None:
        assert found.memory_most_bytes == peaks[-1]
    if own and own[0].ending == "succeeded":
        assert found.killed_at_bytes is found.killed_after_s is None


def test_only_kills_since_it_last_went_well_count() -> None:
    good = Cost("s", "1", seconds=2.0, peak_memory_bytes=5)
    kills = [Cost("s", "3", "memory", 1.0, 9), Cost("s", "2", "walltime", 30.0, 4)]
    assert expect([*kills, good]) == Expected(
        job_count=1,
        seconds=2.0,
        seconds_most=2.0,
        memory_bytes=5,
        memory_most_bytes=5,
        killed_at_bytes=9,
        killed_after_s=30.0,
    )
    after = expect([good, *kills])
    assert after is not None
    assert after.killed_at_bytes is None
    assert expect([Cost("s", "1", "memory")]) == Expected(killed_at_bytes=0)
    assert expect([]) is None
