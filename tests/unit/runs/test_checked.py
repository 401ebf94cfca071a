"""Checks as stages: for which paths, and who waits for them."""

from __future__ import annotations

import pytest

from lockgate.errors import UserError
from lockgate.project.expand import build_pipeline
from lockgate.project.graph import topological, upstream
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import Pipeline
from lockgate.runs.checked import Reference, holds, may_drift, with_checks
from lockgate.runs.reason import reason
from lockgate.runs.record import Artifact, StageRecord

FILES = ("a.py", "data/x.csv", "data/y.csv", "data/z.parquet")


def pipeline(text: str) -> Pipeline:
    return with_checks(build_pipeline(parse_manifest(text), {}, "p"), FILES)


def above(text: str) -> dict[str, set[str]]:
    found = pipeline(text)
    edges = upstream(found)
    topological(found, edges)
    return {name: set(others) for name, others in edges.items()}


def stage(name: str, needs: str | None, makes: str = "") -> str:
    said = f"needs = [{needs}]\n" if needs is not None else ""
    return f"[stages.{name}]\nrun = 'x'\n{said}makes = [{makes}]\n"


@pytest.mark.parametrize(
    ("needs", "waits"),
    [
        ("'data/x.csv'", True),
        ("'data'", True),
        ("'data/*.csv'", True),
        ("'**/x.csv'", True),
        ("'data/y.csv'", False),
        ("", False),
        (None, True),
    ],
)
def test_what_needs_a_checked_table_waits_for_its_check(needs: str | None, waits: bool) -> None:
    found = above(stage("s", needs) + "[checks.'data/x.csv']\n")
    assert found == {"s": {"check@data/x.csv"} if waits else set(), "check@data/x.csv": set()}


def test_what_is_made_is_checked_after_it_is_made_and_before_it_is_used() -> None:
    text = stage("make", "'a.py'", "'m.csv'") + stage("use", "'m.csv'") + "[checks.'m.csv']\n"
    assert above(text) == {
        "make": set(),
        "use": {"make", "check@m.csv"},
        "check@m.csv": {"make"},
    }


def test_a_stage_that_needs_everything_waits_for_no_check_that_waits_for_it() -> None:
    text = stage("make", None, "'m.csv'") + stage("use", None) + "[checks.'*.csv']\n[checks.'data/x.csv']\n"
    assert above(text) == {
        "make": {"check@data/x.csv"},
        "use": {"make", "check@m.csv", "check@data/x.csv"},
        "check@m.csv": {"make"},
        "check@data/x.csv": set(),
    }
    # The table it is compared with is made by a stage that needs everything
    text = stage("make", None, "'m.csv'") + (
        "[checks.'data/x.csv'.columns]\na = { references = { file = 'm.csv', column = 'a' } }\n"
    )
    assert above(text) == {"make": set(), "check@data/x.csv": {"make"}}


def test_a_circle_through_a_check_is_refused() -> None:
    text = stage("make", "'data/x.csv'", "'m.csv'") + (
        "[checks.'data/x.csv'.columns]\na = { references = { file = 'm.csv', column = 'a' } }\n"
    )
    with pytest.raises(UserError) as raised:
        above(text)
    assert raised.value.code == "pipeline-circle"


def test_a_pattern_is_a_check_for_each_path_and_the_last_one_counts() -> None:
    text = stage("s", "", "'data/made.csv'") + (
        "[checks.'data/*.csv']\nrows = { min = 5 }\n[checks.'data/y.csv']\nrows = { min = 7 }\n"
    )
    found = {stage.checks: stage.params["rows_min"] for stage in pipeline(text).stages if stage.checks}
    assert found == {"data/made.csv": 5, "data/x.csv": 5, "data/y.csv": 7}


def test_a_file_inside_a_folder_that_is_made_can_be_checked() -> None:
    text = stage("s", "", "'out'") + "[checks.'out/part.csv']\n"
    assert above(text)["check@out/part.csv"] == {"s"}


@pytest.mark.parametrize("pattern", ["data/w.csv", "*.tsv", "dat"])
def test_a_check_of_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(UserError) as raised:
        pipeline(stage("s", "") + f"[checks.'{pattern}']\n")
    assert raised.value.code == "check-nothing"


@pytest.mark.parametrize("makes", ["checks", "checks/data/x.csv.json"])
def test_the_place_of_a_report_is_no_stages_own(makes: str) -> None:
    with pytest.raises(UserError) as raised:
        pipeline(stage("s", "", f"'{makes}'") + "[checks.'data/x.csv']\n")
    assert raised.value.code == "makes-twice"


def checked(compared_with: str | None, report: str) -> StageRecord:
    made = Artifact(path="checks/x.csv.json", size_bytes=1, md5="m", git=report)
    return StageRecord(
        stage="check@x.csv", fingerprint="f", run="R", commit="c", member="m", ended_at="t", command="check",
        runtime="r", artifacts=(made,), compared_with=compared_with,
    )  # fmt: skip


def test_what_a_check_found_holds_beside_the_version_it_compared_with() -> None:
    passed = Reference(passed="a", report="a")
    assert holds(checked("a", "b"), passed)
    assert not holds(checked("z", "b"), passed) and not holds(checked(None, "b"), passed)
    # The version that passed last itself, though another one was accepted in its place since
    assert holds(checked("z", "a"), passed) and holds(checked("z", "a"), Reference(passed="a", report="n"))
    assert holds(checked("n", "b"), Reference(passed="a", report="n"))
    assert holds(checked("z", "b"), None)


def test_that_another_version_counts_now_is_a_reason_to_check_again() -> None:
    record = checked("z", "b")
    said = reason(
        record,
        command=record.command,
        runtime=record.runtime,
        params={},
        needs=(),
        makes=("checks/x.csv.json",),
        makers={},
        has_other_reference=True,
    )
    assert said == "another version is the accepted one"


def test_a_check_compares_where_a_column_may_drift() -> None:
    rules = stage("s", "") + "[checks.'data/x.csv'.columns]\nn = {{ type = 'number'{} }}\n"
    for drift, expected in (("", False), (", drift = true", True), (", drift = 0.5", True)):
        check = pipeline(rules.format(drift)).stages[1].check
        assert check is not None and may_drift(check) is expected
