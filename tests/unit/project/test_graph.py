"""Who waits for whom."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.project.globs import compile_glob, is_glob, may_hold
from lockgate.project.graph import find_circle, topological, upstream
from lockgate.project.pipeline import Pipeline, Stage


def pipeline(*stages: Stage) -> Pipeline:
    return Pipeline(project="p", source="lockgate.toml", stages=stages)


def stage(name: str, needs: tuple[str, ...] | None, *makes: str, group: str | None = None) -> Stage:
    return Stage(name=name, group=group or name, command="x", needs=needs, makes=makes)


@pytest.mark.parametrize(
    ("need", "made", "is_met"),
    [
        ("a/b", "a/b", True),
        ("a", "a/b/c", True),
        ("a/b/c", "a", True),
        ("a/*", "a/b", True),
        ("a/*.csv", "a/b.txt", False),
        ("**/*.csv", "x/y.csv", True),
        ("a/*/x.csv", "a/model", True),
        ("a/b/*.csv", "a/b", True),
        ("a/b/*.csv", "a", True),
        ("**/*.csv", "model", False),
        ("ab", "a", False),
        ("a", "ab", False),
        ("b", "a/b", False),
    ],
)
def test_a_need_is_met(need: str, made: str, is_met: bool) -> None:
    found = upstream(pipeline(stage("m", (), made), stage("n", (need,))))
    assert found == {"m": (), "n": ("m",) if is_met else ()}


def test_what_lies_around_its_own_makes_is_no_wait_for_itself() -> None:
    assert upstream(pipeline(stage("a", ("data", "*.csv"), "data/clean.csv", "x.csv"))) == {"a": ()}


def test_its_own_makes_by_name_are() -> None:
    assert upstream(pipeline(stage("a", ("data/x",), "data"))) == {"a": ("a",)}


def test_a_notebook_that_is_made_is_waited_for() -> None:
    report = Stage(name="r", group="r", notebook="r.ipynb", needs=())
    assert upstream(pipeline(report, stage("m", (), "r.ipynb")))["r"] == ("m",)


def test_a_tracked_parameter_file_that_is_made_is_waited_for() -> None:
    tuned = Stage(name="t", group="t", command="x", needs=(), params_files={"best.yaml": ()})
    assert upstream(pipeline(tuned, stage("m", (), "best.yaml")))["t"] == ("m",)


def test_without_needs_it_waits_for_the_nearest_above() -> None:
    found = upstream(
        pipeline(
            stage("a", (), "a"), stage("b", (), "b"), stage("c", None, "c"), stage("d", ()), stage("e", None)
        )
    )
    assert found == {"a": (), "b": (), "c": ("a", "b"), "d": (), "e": ("c", "d")}


def test_without_needs_it_does_not_wait_for_those_that_wait_for_it() -> None:
    found = upstream(
        pipeline(
            stage("report", ("model",)),
            stage("check", ()),
            stage("plot", ("table",)),
            stage("train", None, "model"),
        )
    )
    assert found["train"] == ("check", "plot")
    assert found["report"] == ("train",)


def test_one_that_another_above_waits_for_is_not_among_the_nearest() -> None:
    found = upstream(pipeline(stage("report", ("model",)), stage("train", (), "model"), stage("end", None)))
    assert found["end"] == ("report",)


def test_members_of_a_matrix_do_not_wait_for_each_other() -> None:
    found = upstream(
        pipeline(
            stage("a", ()),
            stage("m@1", None, group="m"),
            stage("m@2", None, group="m"),
            stage("z", None),
        )
    )
    assert found == {"a": (), "m@1": ("a",), "m@2": ("a",), "z": ("m@1", "m@2")}


def test_the_order_is_that_of_the_file_among_those_that_are_ready() -> None:
    given_stages = pipeline(stage("c", ("x",)), stage("b", ()), stage("a", (), "x"), stage("d", ()))
    assert topological(given_stages, upstream(given_stages)) == ("b", "a", "c", "d")


def test_a_circle_has_no_order() -> None:
    ring = pipeline(
        stage("z", ("q",)), stage("a", ("q",), "p"), stage("b", ("p",), "q"), stage("y", ("q",), "n")
    )
    assert find_circle(upstream(ring)) == ("a", "b", "a")
    with pytest.raises(UserError) as caught:
        topological(ring, upstream(ring))
    assert caught.value.code == "pipeline-circle"
    assert caught.value.message == "stages wait for each other: a → b → a"


paths = st.sampled_from(["a", "b", "c", "d/e", "d/f", "d", "g/h/i", "g/h"])
needs = st.sampled_from(["a", "b", "c", "d", "d/e", "d/*", "g", "g/**", "g/*/i", "g/h/i", "*", "?", "x"])


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    free = draw(st.permutations(["a", "b", "c", "d/e", "d/f", "g/h/i"]))
    stages = []
    for number in range(draw(st.integers(0, 6))):
        wanted = draw(st.none() | st.lists(needs, max_size=2, unique=True).map(tuple))
        made = (free[number],) if draw(st.booleans()) else ()
        stages.append(stage(f"s{number}", wanted, *made, group=f"g{draw(st.integers(0, number))}"))
    return pipeline(*stages)


def is_met(need: str, path: str) -> bool:
    """The rule as the design tells it, by comparison of each with each."""
    if is_glob(need):
        folders = [need[:at] for at, each in enumerate(need) if each == "/" and not is_glob(need[:at])]
        return compile_glob(need)(path) or may_hold(need, path) or path in folders
    return need == path or path.startswith(f"{need}/") or need.startswith(f"{path}/")


def reached(found: Mapping[str, tuple[str, ...]], name: str) -> set[str]:
    seen: set[str] = set()
    pending = list(found[name])
    while pending:
        other = pending.pop()
        if other not in seen:
            seen.add(other)
            pending += found[other]
    return seen


@given(pipelines())
def test_needs_are_matched_as_by_comparing_each_with_each(given_stages: Pipeline) -> None:
    found = upstream(given_stages)
    for reader in given_stages.stages:
        if reader.needs is not None:
            expected = {
                maker.name
                for maker in given_stages.stages
                for need in reader.needs
                for path in maker.makes
                if is_met(need, path)
                and (maker is not reader or (not is_glob(need) and not path.startswith(f"{need}/")))
            }
            assert set(found[reader.name]) == expected


@given(pipelines())
def test_without_needs_all_above_are_waited_for_that_can_be(given_stages: Pipeline) -> None:
    found = upstream(given_stages)
    declared = {each.name: found[each.name] if each.needs is not None else () for each in given_stages.stages}
    if find_circle(declared):
        return
    assert find_circle(found) == ()
    for number, each in enumerate(given_stages.stages):
        if each.needs is None:
            first = number
            while first and given_stages.stages[first - 1].group == each.group:
                first -= 1
            for above in given_stages.stages[:first]:
                is_above = above.name in reached(found, each.name)
                assert is_above or each.name in reached(found, above.name)


@given(pipelines())
def test_an_order_is_found_or_a_ring_is(given_stages: Pipeline) -> None:
    found = upstream(given_stages)
    ring = find_circle(found)
    if ring:
        assert ring[0] == ring[-1]
        assert all(other in found[name] for name, other in itertools.pairwise(ring))
        return
    order = topological(given_stages, found)
    assert sorted(order) == sorted(each.name for each in given_stages.stages)
    assert all(order.index(other) < order.index(name) for name in found for other in found[name])


@pytest.mark.parametrize("kind", ["chain", "whole", "fan", "globs"])
def test_ten_thousand_stages_take_no_time_to_speak_of(kind: str) -> None:
    def wanted(number: int) -> tuple[str, ...] | None:
        return {
            "chain": (f"b/{number - 1}", "x"),
            "whole": None,
            "fan": ("b",) if number == 9_999 else (),
            "globs": (f"b/{number}/*.csv", "x/*"),
        }[kind]

    stages = pipeline(*(stage(f"s{number}", wanted(number), f"b/{number}") for number in range(10_000)))
    before = time.process_time()
    found = upstream(stages)
    topological(stages, found)
    assert time.process_time() - before < 3, "ten times what it takes: something is quadratic"
