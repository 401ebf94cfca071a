"""Full and read-only disks, deleted folders, a damaged index, wrong clocks: said in words, and healed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e_place import ONE_STAGE, TWO_STAGES, Place, run_program, until

GATED = """\
[stages.s]
run = "cat i > o; touch {outside}/up; until [ -e {outside}/gate ]; do sleep 0.02; done; {then}"
needs = ["i"]
makes = ["o"]
"""

Mount = Callable[[Path, str], None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts a small file system of its own in memory over a folder; undone at the end."""
    mounted: list[Path] = []

    def mount_at(folder: Path, options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", options, "lockgate-test", str(folder)]
        done = subprocess.run(words, capture_output=True, check=False) if shutil.which("mount") else None
        if os.getuid() != 0 or done is None or done.returncode != 0:
            warnings.warn("NOT TESTED: small and read-only disks; that takes root and mount(8)", stacklevel=1)
            pytest.skip("NOT TESTED: small and read-only disks; that takes root and mount(8)")
        mounted.append(folder)

    yield mount_at
    for folder in reversed(mounted):
        subprocess.run(["umount", "-l", str(folder)], check=False)


def gated(place: Place, then: str = "true") -> str:
    return GATED.format(outside=place.outside, then=then)


def up(place: Place) -> None:
    until((place.outside / "up").exists, "the stage runs")


def job_folder(place: Place) -> Path:
    return place.hub / "runs" / "p" / place.runs()[-1].request.id / "jobs" / "0000-s"


@pytest.mark.slow
def test_a_job_that_fills_the_hubs_disk_fails_and_the_hub_goes_on_once_there_is_room(
    place: Place, mount: Mount
) -> None:
    mount(place.hub, "size=24m")
    text = gated(place, "head -c 100000000 /dev/zero > o")
    tree = place.project({"lockgate.toml": text, "i": "1\n"})
    tree.git("push", "-q", "hub", "main")
    up(place)
    (place.outside / "gate").touch()
    job = job_folder(place)
    until(lambda: shutil.disk_usage(place.hub).free < 4096, "the disk is full")
    pid = (job / "pid").read_text().strip()
    until(lambda: not Path("/proc", pid).exists() or place.is_idle(), "the job has ended")
    with contextlib.suppress(FileNotFoundError):
        (job / "workspace" / "o").write_bytes(b"")
    place.settle()
    row = place.runs()[0]
    assert row.state == "failed"
    assert any(words in (row.cause or "") for words in ("No space left", "disk full", "disk was full")), (
        row.cause
    )
    assert place.finished().count(row.request.id) == 1
    tree.commit({"lockgate.toml": ONE_STAGE})
    assert "SUCCEEDED" in tree.push().err


@pytest.mark.slow
def test_a_push_to_a_full_disk_is_refused_and_leaves_nothing_behind(place: Place, mount: Mount) -> None:
    mount(place.hub, "size=24m")
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.push()
    tree.pull()
    until(lambda: not place.is_dispatched(), "the dispatcher has ended")
    before = place.refs()
    ballast = place.hub / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    tree.commit({"i": "2\n"})
    done = tree.push(code=None)
    assert done.code != 0
    assert place.refs() == before
    ballast.unlink()
    assert "SUCCEEDED" in tree.push().err
    place.settle()
    assert len(place.finished()) == 2


@pytest.mark.slow
def test_a_store_that_cannot_be_written_delays_a_run_and_loses_nothing(place: Place, mount: Mount) -> None:
    text = '[data]\nresult_limit = "10 B"\n' + gated(place, f"seq 1000 > o; echo x >> {place.outside}/ran")
    tree = place.project({"lockgate.toml": text, "i": "1\n"})
    tree.git("push", "-q", "hub", "main")
    up(place)
    mount(place.hub / "store", "ro,size=1m")
    (place.outside / "gate").touch()
    log = place.hub / "dispatcher.log"
    until(lambda: "trying again" in log.read_text(), "the dispatcher says so")
    assert place.runs()[0].state == "running"
    subprocess.run(["umount", "-l", str(place.hub / "store")], check=True)
    place.settle()
    assert place.runs()[0].state == "succeeded"
    assert (place.outside / "ran").read_text() == "x\n"
    tree.lockgate("run")
    assert len(tree.read("o").splitlines()) == 1000


def test_a_workspace_deleted_while_its_job_runs(place: Place) -> None:
    tree = place.project({"lockgate.toml": gated(place), "i": "1\n"})
    tree.git("push", "-q", "hub", "main")
    up(place)
    shutil.rmtree(job_folder(place) / "workspace")
    (place.outside / "gate").touch()
    place.settle()
    assert place.runs()[0].state == "failed"
    assert place.runs()[0].cause == "s: its workspace was deleted while it ran"


def test_a_runs_folder_deleted_while_its_job_runs(place: Place) -> None:
    tree = place.project({"lockgate.toml": gated(place), "i": "1\n"})
    tree.git("push", "-q", "hub", "main")
    up(place)
    shutil.rmtree(job_folder(place).parent.parent)
    (place.outside / "gate").touch()
    place.settle()
    (row,) = place.runs()
    assert row.state == "succeeded"
    assert "run again" in tree.lockgate("show", row.request.id).out
    assert len(place.finished()) == 1


def test_a_runs_folder_deleted_while_its_dispatcher_was_down(place: Place) -> None:
    tree = place.project({"lockgate.toml": gated(place), "i": "1\n"})
    tree.git("push", "-q", "hub", "main")
    up(place)
    until(lambda: place.states(place.runs()[-1].request.id)["s"] == "running", "its start is on record")
    assert place.kill_dispatcher()
    shutil.rmtree(job_folder(place).parent.parent)
    (place.outside / "gate").touch()
    place.start_dispatcher()
    place.settle()
    (row,) = place.runs()
    assert row.state == "failed"
    assert "its folder on the hub was deleted while it ran" in (row.cause or "")


def test_old_runs_folders_may_be_deleted(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.push()
    shutil.rmtree(place.hub / "runs")
    assert "nothing to do" in tree.push("main:again").err or place.runs()[-1].state == "succeeded"
    tree.lockgate("show")
    tree.lockgate("logs")
    tree.commit({"i": "2\n"})
    assert "SUCCEEDED" in tree.push("main:third").err


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_index_refuses_pushes_and_is_built_anew(place: Place, content: bytes) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.push()
    tree.pull()
    before = place.runs()
    until(lambda: not place.is_dispatched(), "the dispatcher has ended")
    for side in ("-wal", "-shm"):
        (place.hub / f"index.sqlite{side}").unlink(missing_ok=True)
    (place.hub / "index.sqlite").write_bytes(content)
    tree.commit({"other": "x\n"})
    refs = place.refs()
    said = tree.push(code=1).err
    assert "nothing was queued: the hub's index" in said
    assert "is damaged" in said
    assert "lockgate hub reindex" in said
    assert place.refs() == refs
    assert "is damaged" in tree.lockgate("runs", code=3).err

    run_program(["lockgate", "hub", "reindex", "--hub", place.hub], place.root, place.env)
    after = place.runs()
    assert [row.request for row in after] == [row.request for row in before]
    assert [(row.state, row.result_commit) for row in after] == [
        (row.state, row.result_commit) for row in before
    ]
    assert "nothing to do" in tree.push().err
    assert "cached" in tree.lockgate("show").out


def test_a_lost_index_is_built_anew_with_what_was_queued(place: Place) -> None:
    tree = place.project({"lockgate.toml": gated(place), "i": "1\n"})
    tree.git("push", "-q", "hub", "main")
    up(place)
    assert place.kill_dispatcher()
    for side in ("", "-wal", "-shm"):
        (place.hub / f"index.sqlite{side}").unlink(missing_ok=True)
    (place.outside / "gate").touch()
    run_program(["lockgate", "hub", "reindex", "--hub", place.hub], place.root, place.env)
    place.start_dispatcher()
    place.settle()
    assert [row.state for row in place.runs()] == ["succeeded"]
    assert place.finished() == [place.runs()[0].request.id]
    assert place.on_hub("show", "main:o") == "1"


def test_what_the_store_has_lost_is_not_passed_over(place: Place) -> None:
    text = (
        '[data]\nresult_limit = "10 B"\n'
        '[stages.big]\nrun = "seq 1000 > big"\nneeds = ["i"]\nmakes = ["big"]\n'
        '[stages.count]\nrun = "cat big j | wc -l > n"\nneeds = ["big", "j"]\nmakes = ["n"]\n'
    )
    tree = place.project({"lockgate.toml": text, "i": "1\n", "j": "1\n"})
    tree.push()
    tree.pull()
    shutil.rmtree(place.hub / "store")
    (place.hub / "store").mkdir()
    tree.commit({"j": "1\n2\n"})
    said = tree.push().err
    if "FAILED" in said:
        assert "store" in (place.runs()[-1].cause or "")
        assert tree.git("push", "-o", "wait", "-o", "force=big", "hub", "main:healed").code == 0
        assert place.on_hub("show", "healed:n").strip() == "1002"
    else:
        tree.pull()
        assert tree.read("n").strip() == "1002"


def test_a_hub_that_was_moved_says_so_and_is_mended(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    moved = place.root / "moved"
    place.hub.rename(moved)
    tree.git("remote", "set-url", "hub", str(moved / "repositories" / "p.git"))
    said = tree.push(code=1).err
    assert "is not a hub" in said
    run_program(["lockgate", "hub", "doctor", "--fix", "--hub", moved], place.root, place.env, None)
    place.hub = moved
    assert "SUCCEEDED" in tree.push().err


def test_a_clock_that_went_back_gives_no_negative_times(place: Place) -> None:
    """The record of the start comes to lie after the end, as after a correction of the clock."""
    text = '[stages.s]\nrun = "cat i > o; touch -d 2099-01-01 ../pid"\nneeds = ["i"]\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": text, "i": "1\n"})
    assert "SUCCEEDED" in tree.push().err
    (row,) = place.runs()
    job = place.jobs(row.request.id)["s"]
    assert job.started_at is not None
    assert job.ended_at is not None
    assert job.ended_at >= job.started_at
    assert row.ended_at is not None
    assert row.ended_at >= row.created_at
    tree.lockgate("show")
    assert "SUCCEEDED" in tree.push("main:again").err


@pytest.mark.parametrize("date", ["1970-01-01T00:00:01+0000", "2099-12-31T23:59:59+1400"])
def test_commits_of_any_date_are_run(place: Place, date: str) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.git(
        "commit", "-q", "--amend", "--no-edit", env={"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
    )
    assert "SUCCEEDED" in tree.push().err
    tree.pull()
    assert tree.read("o") == "1\n"


def test_a_job_cannot_declare_itself_well(place: Place) -> None:
    text = """\
[stages.s]
run = "cat i > o; echo '{}' > ../exit.json; printf '0\\n0m0s 0m0s\\n0m0s 0m0s\\n' > ../exit; exit 7"
needs = ["i"]
makes = ["o"]
"""
    tree = place.project({"lockgate.toml": text, "i": "1\n"})
    assert "FAILED" in tree.push().err
    assert "exit code 7" in (place.runs()[0].cause or "")
