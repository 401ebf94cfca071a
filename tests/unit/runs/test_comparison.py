"""Two runs side by side."""

from __future__ import annotations

from lockgate.project.pipeline import Scalar
from lockgate.runs.comparison import (
    ArtifactRow,
    CodeChange,
    MetricRow,
    PackageDifference,
    ParameterDifference,
    Side,
    StateDifference,
    compare,
)
from lockgate.runs.record import Artifact, StageRecord


def record(stage: str, params: dict[str, Scalar] | None = None, **artifacts: str) -> StageRecord:
    return StageRecord(
        stage=stage,
        fingerprint="f",
        run="R",
        commit="c",
        member="ana",
        ended_at="2026-01-01T00:00:00Z",
        command="true",
        runtime="r1",
        params=params or {},
        artifacts=tuple(Artifact(path=path, size_bytes=1, md5=md5) for path, md5 in artifacts.items()),
    )


def side(run: str, *records: StageRecord, **facts: object) -> Side:
    return Side(
        run=run,
        state="succeeded",
        commit="c",
        records={each.stage: each for each in records},
        **facts,  # type: ignore[arg-type]
    )


def test_a_run_is_the_same_as_itself() -> None:
    one = side("A", record("a", {"x": 1}, out="m"), metrics={"f:n": 1.0}, packages={"numpy": "2"})
    found = compare(one, one)
    assert found.is_same
    assert found.metrics == (MetricRow("f:n", 1.0, 1.0, 0.0, 0.0),)
    assert [row.verdict for row in found.artifacts] == ["same"]


def test_a_parameter_of_several_stages_is_told_once() -> None:
    left = side("A", record("a", {"x": 1}), record("b", {"x": 1}), params={"x": "1", "spare": "0"})
    right = side("B", record("a", {"x": 2}), record("b", {"x": 2}), params={"x": "2", "spare": "1"})
    assert compare(left, right).parameters == (
        ParameterDifference("x", 1, 2, ("a", "b")),
        ParameterDifference("spare", "0", "1"),
    )


def test_values_equal_in_python_but_not_on_a_command_line_differ() -> None:
    found = compare(side("A", record("a", {"x": 1})), side("B", record("a", {"x": True})))
    assert found.parameters == (ParameterDifference("x", 1, True, ("a",)),)


def test_metrics_have_absolute_and_relative_differences_where_both_are_numbers() -> None:
    left = side("A", metrics={"m:a": -2.0, "m:b": 0.0, "m:c": "x", "m:gone": 1.0})
    right = side("B", metrics={"m:a": -1.0, "m:b": 1.0, "m:c": 1.0})
    assert compare(left, right).metrics == (
        MetricRow("m:a", -2.0, -1.0, 1.0, 0.5),
        MetricRow("m:b", 0.0, 1.0, 1.0, None),
        MetricRow("m:c", "x", 1.0),
        MetricRow("m:gone", 1.0, None),
    )


def test_artifacts_are_told_apart_by_content() -> None:
    found = compare(
        side("A", record("a", same="1", other="2", gone="3")),
        side("B", record("a", same="1", other="9", new="4")),
    )
    assert found.artifacts == (
        ArtifactRow("gone", "only-left", 1, None, "3", None),
        ArtifactRow("new", "only-right", None, 1, None, "4"),
        ArtifactRow("other", "differs", 1, 1, "2", "9"),
        ArtifactRow("same", "same", 1, 1, "1", "1"),
    )


def test_what_stages_make_is_not_code() -> None:
    changes = [CodeChange("M", path) for path in ("z.py", "build/deep/x", "building", "build")]
    found = compare(side("A", record("a", build="1")), side("B"), changes)
    assert found.code == (CodeChange("M", "building"), CodeChange("M", "z.py"))


def test_packages_and_stage_states_are_told_where_they_differ() -> None:
    left = side("A", packages={"a": "1", "b": "1"}, states={"s": "succeeded", "t": "succeeded"})
    right = side("B", packages={"a": "2", "b": "1"}, states={"s": "cached", "t": "succeeded", "u": "failed"})
    found = compare(left, right)
    assert found.packages == (PackageDifference("a", "1", "2"),)
    assert found.states == (StateDifference("s", "succeeded", "cached"), StateDifference("u", None, "failed"))
    assert not found.is_same


def test_cached_instead_of_run_is_the_same_result() -> None:
    assert compare(side("A", states={"s": "succeeded"}), side("B", states={"s": "cached"})).is_same


def test_a_matrix_is_in_the_order_of_its_numbers() -> None:
    depths = (4, 9, 10, 16)

    def of(run: str, value: float) -> Side:
        by_text = sorted(depths, key=str)
        records = [record(f"train@{n}", {"depth": n}, **{f"model-{n}": run}) for n in by_text]
        states = {f"train@{n}": "succeeded" if run == "A" else "failed" for n in by_text}
        return side(run, *records, metrics={f"m-{n}.json:loss": value for n in by_text}, states=states)

    left, right = of("A", 1.0), of("B", 2.0)
    found = compare(left, right)
    assert [row.name for row in found.metrics] == [f"m-{n}.json:loss" for n in depths]
    assert [row.path for row in found.artifacts] == [f"model-{n}" for n in depths]
    assert [row.stage for row in found.states] == [f"train@{n}" for n in depths]
    assert left.parameters == {"depth": "4, 9, 10, 16"}
