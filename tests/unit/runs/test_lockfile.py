"""The lock file: what is written is read, whatever git merges; what is damaged is told by its line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.git.listing import EXECUTABLE, FILE, FOLDER
from lockgate.project.pipeline import Scalar
from lockgate.runs.lockfile import read_lock, write_lock
from lockgate.runs.record import Artifact, StageRecord

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars: st.SearchStrategy[Scalar] = (
    texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
)
artifacts = st.builds(
    Artifact,
    path=texts,
    kind=st.sampled_from(["table", "figure", "metrics", "model", "notebook", "file"]),
    size_bytes=st.integers(0, 2**60),
    md5=st.from_regex(r"[0-9a-f]{32}(\.dir)?", fullmatch=True),
    git=st.none() | st.from_regex(r"[0-9a-f]{40}", fullmatch=True),
    mode=st.sampled_from([FILE, EXECUTABLE, FOLDER]),
    file_count=st.integers(0, 1000),
)
records = st.builds(
    StageRecord,
    stage=texts,
    fingerprint=texts,
    run=texts,
    commit=texts,
    member=texts,
    ended_at=texts,
    command=texts,
    runtime=texts,
    params=st.dictionaries(texts, scalars, max_size=3),
    needs=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    artifacts=st.lists(artifacts, max_size=3, unique_by=lambda a: a.path).map(
        lambda found: tuple(sorted(found, key=lambda a: a.path))
    ),
)


@given(st.lists(records, max_size=4, unique_by=lambda record: record.stage))
def test_what_is_written_is_read(written: list[StageRecord]) -> None:
    content = write_lock(written)
    assert read_lock(content) == {record.stage: record for record in written}
    assert content == write_lock(reversed(written))
    assert content.count(b"\n") == 1 + sum(1 + len(record.artifacts) for record in written)


def record(stage: str, run: str = "RUN1", **changes: object) -> StageRecord:
    values: dict[str, object] = {
        "stage": stage,
        "run": run,
        "fingerprint": "f",
        "commit": "c",
        "member": "ana",
        "ended_at": "2026-01-01T00:00:00Z",
        "command": "python x.py",
        "runtime": "r",
        "artifacts": (Artifact(path=f"{stage}.csv", size_bytes=3, md5="d" * 32, git="a" * 40),),
    }
    return StageRecord(**{**values, **changes})  # type: ignore[arg-type]


def test_the_form() -> None:
    made = (
        Artifact(path="z", size_bytes=1, md5="1" * 32, mode=EXECUTABLE),
        Artifact(
            path="m", kind="metrics", size_bytes=2, md5="2" * 32 + ".dir", git="3", mode=FOLDER, file_count=2
        ),
    )
    written = record("train", params={"b": 1.0, "a": True}, needs=(("x.py", "1"),), artifacts=made)
    assert write_lock([written]).decode().splitlines() == [
        '{"lockgate_lock":1}',
        '{"stage":"train","run":"RUN1","fingerprint":"f","commit":"c","member":"ana",'
        '"ended_at":"2026-01-01T00:00:00Z","command":"python x.py","runtime":"r",'
        '"params":{"a":true,"b":1.0},"needs":[["x.py","1"]]}',
        '{"stage":"train","run":"RUN1","artifact":"m","md5":"22222222222222222222222222222222.dir",'
        '"size_bytes":2,"kind":"metrics","git":"3","mode":16384,"file_count":2}',
        '{"stage":"train","run":"RUN1","artifact":"z","md5":"11111111111111111111111111111111",'
        '"size_bytes":1,"mode":33261}',
    ]


def test_an_empty_file_and_empty_lines_hold_nothing() -> None:
    assert read_lock(b"") == read_lock(b"\n\n") == read_lock(write_lock([])) == {}
    spaced = write_lock([record("a")]).replace(b"\n", b"\r\n\r\n")
    assert read_lock(spaced) == {"a": record("a")}


GOOD = write_lock([record("a"), record("b")])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"<<<<<<< HEAD\n" + GOOD, 1),
        (GOOD + b"=======\n", 6),
        (GOOD[:-20], 5),
        (GOOD.replace(b'"md5"', b'"sha"', 1), 3),
        (GOOD.replace(b'"size_bytes":3', b'"size_bytes":"3"', 1), 3),
        (GOOD.replace(b'"fingerprint":"f",', b"", 1), 2),
        (GOOD.replace(b"ana", b"\xff", 1), 2),
        (b"[]\n", 1),
        (b"null\n", 1),
        (b"{}\n", 1),
        (b'{"lockgate_lock":1,"more":2}\n', 1),
        (b"{" * 100_000, 1),
    ],
)
def test_a_damaged_line_is_told_by_its_number(content: bytes, line: int) -> None:
    with pytest.raises(UserError) as caught:
        read_lock(content)
    assert caught.value.code == "lock-damaged"
    assert caught.value.message.startswith(f"lockgate.lock:{line}: not a line of a lock file")
    assert "\n" not in caught.value.message


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_an_error(content: bytes) -> None:
    try:
        read_lock(content)
    except UserError as error:
        assert error.code in ("lock-damaged", "lock-format")


def test_a_newer_format_is_told() -> None:
    with pytest.raises(UserError, match="has format 2; this Lockgate reads format 1") as caught:
        read_lock(GOOD.replace(b'"lockgate_lock":1', b'"lockgate_lock":2'))
    assert caught.value.code == "lock-format"


def test_of_two_records_of_a_stage_the_later_counts_with_its_own_artifacts() -> None:
    old = record("a", "RUN1", artifacts=(Artifact(path="old", size_bytes=1, md5="1"),))
    new = record("a", "RUN2", artifacts=(Artifact(path="new", size_bytes=1, md5="2"),))
    lines = write_lock([old]) + write_lock([new])
    assert read_lock(lines) == {"a": new}
    stage, made = write_lock([new]).splitlines(keepends=True)[1:]
    assert read_lock(made + stage) == {"a": new}


def run(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)


def test_two_branches_merge_by_gits_own_union(tmp_path: Path) -> None:
    """Both ran other stages: all are there. Both ran one stage: one of the records, whole.

    Lines side by side are one conflict to git: there an older record may come out on top, and runs again.
    """
    run(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / ".gitattributes").write_text("lockgate.lock merge=union\n")
    lock = tmp_path / "lockgate.lock"

    def commit(*records: StageRecord) -> None:
        lock.write_bytes(write_lock(records))
        run(tmp_path, "add", "-A")
        run(tmp_path, "commit", "-q", "-m", "results")

    a, b, c, d = (record(name) for name in "abcd")
    mine, theirs = record("b", "MINE", params={"x": 1}), record("b", "THEIRS", params={"x": 2})
    commit(a, b, c)
    run(tmp_path, "checkout", "-q", "-b", "other")
    commit(a, theirs, c, d)
    run(tmp_path, "checkout", "-q", "main")
    commit(a, mine, record("c", "MINE"))
    run(tmp_path, "merge", "-q", "other", "-m", "merge")
    merged = read_lock(lock.read_bytes())
    assert merged.pop("b") in (mine, theirs)
    assert merged.pop("c") in (c, record("c", "MINE"))
    assert merged == {"a": a, "d": d}
