"""From an artifact up to its sources."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.trace import Step, find, trace, under


def record(stage: str, needs: dict[str, str], makes: dict[str, str]) -> StageRecord:
    return StageRecord(
        stage=stage,
        fingerprint="f",
        run=f"RUN{stage}",
        commit="c",
        member="ana",
        ended_at="2026-01-01T00:00:00Z",
        command="true",
        runtime="r",
        needs=tuple(sorted(needs.items())),
        artifacts=tuple(Artifact(path=path, size_bytes=1, md5=md5) for path, md5 in makes.items()),
    )


LOCK = {
    each.stage: each
    for each in (
        record("prepare", {"in.csv": "aa"}, {"build/data": "d1"}),
        record("train", {"train.py": "bb", "build/data": "md5:d1"}, {"build/model": "m1.dir"}),
        record("report", {"build/data": "md5:d0", "build/model": "md5:m1.dir"}, {"report.html": "h"}),
    )
}


def test_a_file_in_a_folder_artifact_is_found() -> None:
    found = find(LOCK, "build/model/deep/a.bin")
    assert found is not None
    assert (found.record.stage, found.artifact.path) == ("train", "build/model")
    assert find(LOCK, "build/modelled") is None
    assert find(LOCK, "in.csv") is None
    assert under(LOCK, "build") == ["build/data", "build/model"]


def test_every_need_stands_under_the_stage_it_served() -> None:
    assert trace(LOCK, "train") == [
        Step(0, "train.py", "bb"),
        Step(0, "build/data", "md5:d1", "prepare", "RUNprepare"),
        Step(1, "in.csv", "aa"),
    ]


def test_a_stage_is_unfolded_once_and_an_older_version_is_told() -> None:
    assert trace(LOCK, "report") == [
        Step(0, "build/data", "md5:d0", "prepare", "RUNprepare", is_older=True),
        Step(1, "in.csv", "aa"),
        Step(0, "build/model", "md5:m1.dir", "train", "RUNtrain"),
        Step(1, "train.py", "bb"),
        Step(1, "build/data", "md5:d1", "prepare", "RUNprepare", is_repeated=True),
    ]


def test_an_artifact_nobody_makes_any_more_is_a_leaf() -> None:
    lock = {"a": record("a", {"lost": "md5:x"}, {"out": "o"})}
    assert trace(lock, "a") == [Step(0, "lost", "md5:x")]


def test_a_very_long_chain_is_no_trouble() -> None:
    count = 3000
    lock = {
        f"s{n}": record(f"s{n}", {f"p{n - 1}": f"md5:{n - 1}"} if n else {"in": "aa"}, {f"p{n}": str(n)})
        for n in range(count)
    }
    steps = trace(lock, f"s{count - 1}")
    assert len(steps) == count
    assert steps[-1] == Step(count - 1, "in", "aa")


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30))
def test_records_that_contradict_each_other_end(edges: list[tuple[int, int]]) -> None:
    """A lock file merged badly may hold circles."""
    lock = {
        f"s{n}": record(f"s{n}", {f"p{m}": f"md5:{m}" for k, m in edges if k == n}, {f"p{n}": str(n)})
        for n in range(7)
    }
    steps = trace(lock, "s0")
    unfolded = [step.stage for step in steps if step.stage is not None and not step.is_repeated]
    assert len(unfolded) == len(set(unfolded))
    assert len(steps) <= len(edges)
