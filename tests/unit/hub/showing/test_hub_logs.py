"""A stage's output is found, and no other stage's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.hub.jobname import safe_name
from lockgate.hub.showing.logs import read_logs
from lockgate.runs.run import JobStatus

RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


@pytest.fixture
def index(hub: Hub) -> Iterator[Index]:
    index = Index(hub.index)
    index.add_run(
        Request(id=RUN, project="p", ref="refs/heads/main", commit="c", member="ana"), "running", 1.0
    )
    yield index
    index.close()


def job(hub: Hub, index: Index, *stages: tuple[int, str, bytes | None]) -> None:
    index.add_jobs(RUN, [(stage, "never run") for _, stage, _ in stages])
    for number, stage, output in stages:
        folder = hub.run_folder("p", RUN) / "jobs" / safe_name(number, stage)
        folder.mkdir(parents=True)
        if output is not None:
            (folder / "output.log").write_bytes(output)


def outputs(hub: Hub, stage: str | None = None) -> list[tuple[str, bytes]]:
    pieces = list(read_logs(hub, "p", RUN, stage, is_follow=False))
    last = pieces.pop()
    assert (last.stage, last.content, last.run_state) == (stage or "", b"", "running")
    return [(piece.stage, piece.content) for piece in pieces]


def test_stage_by_stage(hub: Hub, index: Index) -> None:
    job(
        hub, index, (3, "prepare", b"one\n"), (12_345, "train@depth=4,rate=[0-9]", b"two\n"), (5, "new", None)
    )
    assert outputs(hub) == [("prepare", b"one\n"), ("train@depth=4,rate=[0-9]", b"two\n")]
    assert outputs(hub, "prepare") == [("prepare", b"one\n")]
    assert outputs(hub, "new") == []


def test_a_stage_is_not_taken_for_one_whose_name_ends_alike(hub: Hub, index: Index) -> None:
    job(hub, index, (0, "pre-train", b"pre\n"), (1, "train", b"train\n"))
    assert outputs(hub, "train") == [("train", b"train\n")]
    assert outputs(hub, "pre-train") == [("pre-train", b"pre\n")]


def test_large_output_comes_in_pieces(hub: Hub, index: Index) -> None:
    content = bytes(range(256)) * 1000
    job(hub, index, (0, "a", content))
    pieces = outputs(hub)
    assert len(pieces) == 4
    assert b"".join(piece for _, piece in pieces) == content


def test_following_ends_with_the_run(hub: Hub, index: Index) -> None:
    job(hub, index, (0, "a", b"one\n"))
    index.set_run(RUN, "succeeded", ended_at=2.0)
    assert [p.content for p in read_logs(hub, "p", RUN[-8:], None, is_follow=True)] == [b"one\n", b""]


def test_what_is_not_there(hub: Hub, index: Index) -> None:
    job(hub, index, (0, "a", b""))
    with pytest.raises(UserError) as caught:
        outputs(hub, "b")
    assert (caught.value.code, caught.value.hint) == ("stage-unknown", "Its stages: a")
    with pytest.raises(UserError) as caught:
        list(read_logs(hub, "p", "LATER", None, is_follow=False))
    assert caught.value.code == "run-unknown"


def test_progress_is_told_once_beside_the_output(hub: Hub, index: Index) -> None:
    job(hub, index, (0, "count", b"out\n"))
    index.set_jobs(RUN, [("count", JobStatus("running"))])
    index.set_waiting(RUN, [("count", "stage 1 of 2, 3 of 9 tasks")])
    told = []
    for piece in read_logs(hub, "p", RUN, None, is_follow=True):
        told.append((piece.content, piece.progress))
        if piece.progress:
            index.set_run(RUN, "succeeded", ended_at=2.0)
    assert told == [(b"out\n", ""), (b"", "stage 1 of 2, 3 of 9 tasks"), (b"", "")]
