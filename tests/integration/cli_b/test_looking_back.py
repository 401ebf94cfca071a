"""Verbs that look back and go back, on a project with two runs made once; every test has its own copies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

MANIFEST = """\
[project]
name = "p"

[stages.prepare]
run = "sh prepare.sh"
needs = ["prepare.sh", "in.txt"]
makes = ["build/data.txt"]

[stages.train]
run = "sh train.sh {depth}"
needs = ["train.sh", "build/data.txt"]
makes = ["build/model"]
metrics = ["build/metrics.json"]
params = { depth = 2 }
"""
FILES = {
    "lockgate.toml": MANIFEST,
    "in.txt": "one\n",
    "prepare.sh": "mkdir -p build && tr a-z A-Z < in.txt > build/data.txt\n",
    "train.sh": (
        "mkdir -p build/model && cat build/data.txt > build/model/a.txt && echo $1 > build/model/b.txt\n"
        'echo "{\\"depth\\": $1}" > build/metrics.json\n'
    ),
}


class Place:
    """A hub and a clone, and the command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = folder / "hub"
        self.root = folder / "clone"
        self.repository = self.hub / "repositories" / "p.git"

    def lockgate(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            ["lockgate", *arguments], cwd=self.root, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def json(self, *arguments: str, code: int = 0) -> object:
        return json.loads(self.lockgate(*arguments, "--json", code=code))

    def code(self, *arguments: str, exit_code: int = 2) -> str:
        """The stable code of the error that a command ends with."""
        found = self.json(*arguments, code=exit_code)
        assert isinstance(found, dict)
        return str(found["error"]["code"])

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def runs(self) -> list[str]:
        """Ids, newest first."""
        found = self.json("runs")
        assert isinstance(found, list)
        return [run["id"] for run in found]

    def state(self, run: str) -> str:
        found = self.json("show", run)
        assert isinstance(found, dict)
        return str(found["line"]["state"])

    def push(self) -> None:
        self.git("push", "--quiet", "-o", "wait", "hub", "main")
        self.git("pull", "--quiet", "hub", "main")

    def wait_until_idle(self) -> None:
        from lockgate.hub.directory import open_hub
        from lockgate.hub.running.dispatcher import DispatcherLock

        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with DispatcherLock(open_hub(self.hub)) as lock:
                if lock.acquire():
                    return
            time.sleep(0.02)
        raise AssertionError("the dispatcher does not end")


@pytest.fixture(scope="module")
def story(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two runs that went well, and the second one's results pulled."""
    place = Place(tmp_path_factory.mktemp("story"))
    place.root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCKGATE_LINGER_S", "0.2")
        place.git("init", "--quiet")
        for path, text in FILES.items():
            place.write(path, text)
        place.git("add", ".")
        place.git("commit", "--quiet", "-m", "one")
        place.lockgate("hub", "init", str(place.hub))
        assert place.lockgate("hub", "add-project", "p", "--hub", str(place.hub)).strip() == str(
            place.repository
        )
        place.git("remote", "add", "hub", str(place.repository))
        place.push()
        place.write("in.txt", "two\n")
        place.write("lockgate.toml", MANIFEST.replace("depth = 2", "depth = 3"))
        place.git("commit", "--quiet", "-am", "two")
        place.push()
        place.wait_until_idle()
        yield place


@pytest.fixture
def place(story: Place, tmp_path: Path) -> Place:
    """A clone of one's own of the story's hub; the hub itself is not to be changed."""
    mine = Place(tmp_path)
    mine.hub, mine.repository = story.hub, story.repository
    shutil.copytree(story.root, mine.root, symlinks=True)
    return mine


@pytest.fixture
def own(story: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A hub of one's own as well, to be changed at will."""
    monkeypatch.setenv("LOCKGATE_LINGER_S", "0.2")
    mine = Place(tmp_path)
    shutil.copytree(story.root, mine.root, symlinks=True)
    shutil.copytree(story.hub, mine.hub, symlinks=True, ignore=shutil.ignore_patterns("wake"))
    os.mkfifo(mine.hub / "wake", 0o600)
    mine.git("remote", "set-url", "hub", str(mine.repository))
    mine.lockgate("hub", "doctor", "--fix", "--hub", str(mine.hub))
    return mine


# compare


def test_compare_tells_what_differs(place: Place) -> None:
    newer, older = place.runs()
    found = place.json("compare", older[-8:], "latest")
    assert isinstance(found, dict)
    assert (found["left"], found["right"]) == (older, newer)
    assert found["parameters"] == [{"name": "depth", "left": 2, "right": 3, "stages": ["train"]}]
    assert [change["path"] for change in found["code"]] == ["in.txt", "lockgate.toml"]
    assert found["metrics"] == [
        {"name": "build/metrics.json:depth", "left": 2, "right": 3, "difference": 1, "relative": 0.5}
    ]
    assert {row["path"]: row["verdict"] for row in found["artifacts"]} == {
        "build/data.txt": "differs",
        "build/metrics.json": "differs",
        "build/model": "differs",
    }
    text = place.lockgate("compare", older, newer)
    assert "depth  2  3  train" in text
    assert "+1 (+50.00%)" in text


def test_compare_of_a_run_with_itself_and_of_none(place: Place) -> None:
    assert "the same code" in place.lockgate("compare", "latest", "latest")
    assert place.code("compare", "latest", "ZZZZZZZZ") == "run-unknown"


# log


def test_log_reads_the_chain_newest_first(place: Place) -> None:
    found = place.json("log")
    assert isinstance(found, list)
    assert [entry["activity"]["kind"] for entry in found] == [
        "run.finished", "run.queued", "run.finished", "run.queued", "project.added",
    ]  # fmt: skip
    assert len(place.lockgate("log", "-n", "2").splitlines()) == 2
    at_the_hub = place.json("log", "--hub", str(place.hub), "--project", "p")
    assert at_the_hub == found


def test_log_of_a_path_has_the_runs_that_touched_it(place: Place) -> None:
    place.write("in.txt", "two\n")
    (place.root / "build").mkdir(exist_ok=True)
    for path, count in (("build/model/a.txt", 4), ("in.txt", 4), ("build", 4), ("spare.txt", 0)):
        found = place.json("log", path)
        assert isinstance(found, list)
        assert len(found) == count, path
    assert place.code("log", "../elsewhere") == "path-outside"


def test_log_without_the_hub_shows_what_was_fetched(place: Place) -> None:
    before = place.json("log")
    place.git("remote", "set-url", "hub", "/nowhere/repositories/p.git")
    assert place.json("log") == before
    assert "cannot be reached" in place.lockgate("log")
    place.git("remote", "remove", "hub")
    assert "no remote" in place.lockgate("log")


def test_verify_pins_the_key_and_notices_another(place: Place) -> None:
    assert "pinned the hub's key SHA256:" in place.lockgate("log", "--verify")
    assert "pinned" not in place.lockgate("log", "--verify")
    pin = place.root / ".git" / "lockgate" / "hub.pub"
    assert pin.read_text() == (place.hub / "key.pub").read_text()
    from lockgate.activity.key import create_key

    other = create_key(place.folder / "other")
    pin.write_text(other.public_line + "\n")
    assert place.code("log", "--verify") == "hub-key-changed"


def test_verify_takes_the_key_from_the_chain_where_the_hub_is_out_of_reach(place: Place) -> None:
    place.lockgate("log")
    place.git("remote", "set-url", "hub", "/nowhere/repositories/p.git")
    found = place.json("log", "--verify")
    assert isinstance(found, dict)
    assert found["is_intact"]
    assert found["is_newly_pinned"]
    assert found["count"] == 5


def test_verify_finds_an_entry_the_hub_did_not_write(own: Place) -> None:
    own.lockgate("log", "--verify")
    tip = own.git("-C", str(own.repository), "rev-parse", "refs/lockgate/activity")
    tree = own.git("-C", str(own.repository), "rev-parse", f"{tip}^{{tree}}")
    forged = own.git("commit-tree", tree, "-p", tip, "-m", "forged")
    own.git("push", "--quiet", "--force", str(own.repository), f"{forged}:refs/tags/carrier")
    own.git("-C", str(own.repository), "update-ref", "refs/lockgate/activity", forged)
    assert f"{forged}: not signed" in own.lockgate("log", "--verify", code=1)
    found = own.json("log", "--verify", "--hub", str(own.hub), code=1)
    assert isinstance(found, dict)
    assert not found["is_intact"]


def test_a_chain_cut_short_is_told(own: Place) -> None:
    own.lockgate("log")
    own.git("-C", str(own.repository), "update-ref", "refs/lockgate/activity", "refs/lockgate/activity~1")
    assert own.code("log", exit_code=3) == "activity-rewritten"


# why


def test_why_an_artifact_leads_to_the_sources(place: Place) -> None:
    run = place.runs()[0]
    found = place.json("why", "build/model/a.txt")
    assert isinstance(found, dict)
    assert found["kind"] == "artifact"
    origin = found["origin"]
    assert origin["record"]["stage"] == "train"
    assert origin["record"]["run"] == run
    assert origin["record"]["params"] == {"depth": 3}
    assert origin["artifact"]["path"] == "build/model"
    assert origin["is_recorded"]
    assert [step["path"] for step in origin["steps"]] == [
        "train.sh", "build/data.txt", "in.txt", "prepare.sh",
    ]  # fmt: skip
    assert "build/data.txt  ← prepare" in place.lockgate("why", "build/model")


def test_why_needs_no_hub(place: Place) -> None:
    place.git("remote", "remove", "hub")
    assert "made by stage prepare" in place.lockgate("why", "build/data.txt")


def test_why_of_a_file_that_was_edited_or_is_of_an_earlier_run(place: Place) -> None:
    place.write("build/data.txt", "by hand\n")
    assert "NOT what this run made" in place.lockgate("why", "build/data.txt")
    place.write("build/data.txt", "ONE\n")
    found = place.json("why", "build/data.txt")
    assert isinstance(found, dict)
    assert found["origin"]["record"]["run"] == place.runs()[1]
    assert found["origin"]["is_recorded"]
    assert found["origin"]["lock_commit"]
    place.write("build/model/b.txt", "9\n")
    assert "NOT what this run made" in place.lockgate("why", "build/model/b.txt")
    assert "NOT" not in place.lockgate("why", "build/model/a.txt")


def test_why_of_an_artifact_that_is_not_here(place: Place) -> None:
    (place.root / "build" / "data.txt").unlink()
    assert "lockgate fetch" in place.lockgate("why", "build/data.txt")


def test_why_of_sources_and_of_nothing(place: Place) -> None:
    found = place.json("why", "in.txt")
    assert isinstance(found, dict)
    assert found["kind"] == "source"
    assert found["origin"]["needed_by"] == ["prepare"]
    assert found["origin"]["last_change"]["subject"] == "two"
    place.write("ünüsed.txt", "x")
    assert "no stage needs it" in place.lockgate("why", "ünüsed.txt")
    assert place.code("why", "gone.txt") == "file-unknown"
    assert place.code("why", "build") == "path-ambiguous"
    place.git("rm", "--quiet", "lockgate.lock")
    place.git("commit", "--quiet", "-m", "no lock")
    (place.root / "build" / "data.txt").write_text("never made\n")
    assert place.code("why", "build/data.txt") == "not-recorded"


# rollback


def test_rollback_is_a_new_commit_with_that_state(place: Place) -> None:
    older = place.runs()[1]
    before = place.git("rev-parse", "HEAD")
    text = place.lockgate("rollback", older[-8:], "--yes")
    assert "kept as" not in text
    assert place.git("rev-parse", "HEAD~1") == before
    assert (place.read("in.txt"), place.read("build/data.txt")) == ("one\n", "ONE\n")
    assert place.git("status", "--porcelain") == ""
    assert place.git("log", "-1", "--format=%(trailers:key=Lockgate-Rollback,valueonly)") == older
    assert place.code("rollback", older, "--yes") == "nothing-to-change"


def test_rollback_keeps_uncommitted_work_and_says_how_to_bring_it_back(place: Place) -> None:
    place.write("in.txt", "half done\n")
    place.write("notes.txt", "untracked\n")
    place.write("staged.txt", "staged\n")
    place.git("add", "staged.txt")
    found = place.json("rollback", place.runs()[1], "--yes")
    assert isinstance(found, dict)
    assert found["undo"].startswith("refs/lockgate/undo/")
    assert place.read("in.txt") == "one\n"
    assert not (place.root / "notes.txt").exists()
    assert place.git("status", "--porcelain") == ""
    place.git(*found["bring_back"].split()[1:])
    assert (place.read("in.txt"), place.read("notes.txt")) == ("half done\n", "untracked\n")
    assert place.read("staged.txt") == "staged\n"


def test_rollback_to_an_activity_that_is_a_push(place: Place) -> None:
    entries = place.json("log")
    assert isinstance(entries, list)
    queued = entries[3]
    assert queued["activity"]["kind"] == "run.queued"
    place.lockgate("rollback", queued["id"][:10], "--yes")
    assert place.read("in.txt") == "one\n"
    assert not (place.root / "build").exists()
    assert place.code("rollback", entries[4]["id"][:10], "--yes") == "activity-no-state"


def test_rollback_never_writes_over_an_ignored_file(place: Place) -> None:
    """The state gone back to has what is ignored now."""
    older = place.runs()[1]
    place.git("rm", "-r", "--quiet", "build")
    place.write(".gitignore", "build\n")
    place.git("add", ".")
    place.git("commit", "--quiet", "-m", "ignore")
    place.write("build/data.txt", "precious\n")
    head = place.git("rev-parse", "HEAD")
    assert place.code("rollback", older, "--yes") == "ignored-in-the-way"
    assert place.read("build/data.txt") == "precious\n"
    assert place.git("rev-parse", "HEAD") == head
    assert place.git("status", "--porcelain") == ""
    assert not (place.root / ".git" / "index.lock").exists()
    place.write("draft.txt", "uncommitted\n")
    assert place.code("rollback", older, "--yes") == "ignored-in-the-way"
    assert place.read("draft.txt") == "uncommitted\n"
    assert place.git("for-each-ref", "refs/lockgate/undo") == ""
    (place.root / "build" / "data.txt").unlink()
    (place.root / "build").rmdir()
    (place.root / "build").write_text("a file where a folder goes\n")
    assert place.code("rollback", older, "--yes") == "ignored-in-the-way"
    (place.root / "build").unlink()
    place.write("build/data.txt", "ONE\n")
    place.lockgate("rollback", older, "--yes")
    assert place.git("status", "--porcelain") == ""


def test_rollback_with_no_branch_a_merge_or_nobody_to_ask(place: Place) -> None:
    older = place.runs()[1]
    assert place.code("rollback", older) == "confirmation-needed"
    assert place.code("rollback", "ZZZZ9999", "--yes") == "run-unknown"
    place.git("checkout", "--quiet", "--detach")
    assert place.code("rollback", older, "--yes") == "detached-head"
    place.git("checkout", "--quiet", "main")
    (place.root / ".git" / "MERGE_HEAD").write_text(place.git("rev-parse", "HEAD~1") + "\n")
    assert place.code("rollback", older, "--yes") == "merge-under-way"
    (place.root / ".git" / "MERGE_HEAD").unlink()
    (place.root / ".git" / "index.lock").touch()
    assert place.code("rollback", older, "--yes", exit_code=3) == "index-locked"
    (place.root / ".git" / "index.lock").unlink()
    place.git("checkout", "--quiet", "--orphan", "fresh")
    assert place.code("rollback", older, "--yes") == "no-commit-yet"


def test_rollback_in_a_linked_work_tree_from_a_folder_of_it(place: Place) -> None:
    older = place.runs()[1]
    place.git("worktree", "add", "--quiet", "-b", "side", str(place.folder / "side"))
    main = place.root
    place.root = place.folder / "side"
    place.lockgate("rollback", older, "--yes")
    assert place.read("in.txt") == "one\n"
    assert place.git("status", "--porcelain") == ""
    assert (main / "in.txt").read_text() == "two\n"


def test_rollback_to_a_run_that_failed_is_what_was_pushed(own: Place) -> None:
    own.write("train.sh", "echo no >&2; exit 3\n")
    own.git("commit", "--quiet", "-am", "broken")
    pushed = own.git("rev-parse", "HEAD")
    own.git("push", "--quiet", "-o", "wait", "hub", "main")
    failed = own.runs()[0]
    own.write("train.sh", "true\n")
    own.git("commit", "--quiet", "-am", "mended")
    found = own.json("rollback", failed, "--yes")
    assert isinstance(found, dict)
    assert found["state"]["is_snapshot"]
    assert own.git("rev-parse", "HEAD^{tree}") == own.git("rev-parse", f"{pushed}^{{tree}}")
    own.wait_until_idle()


# hub


def test_reindex_makes_the_same_index_again(own: Place) -> None:
    before = {run: own.json("show", run) for run in own.runs()}
    comparison = own.json("compare", *before)
    found = own.json("hub", "reindex", "--hub", str(own.hub))
    assert found == {
        "run_count": 2,
        "result_count": 4,
        "queued_count": 0,
        "old": str(own.hub / "index.sqlite.old-1"),
        "problems": [],
    }
    assert own.runs() == list(before)
    for run, view in before.items():
        now = own.json("show", run)
        assert isinstance(now, dict)
        assert isinstance(view, dict)
        for key in ("stages", "records", "metrics", "result_commit", "has_moved_branch", "params", "ref"):
            assert now[key] == view[key], key
        assert now["line"]["state"] == "succeeded"
    assert own.json("compare", *before) == comparison
    own.git("commit", "--quiet", "--allow-empty", "-m", "nothing new")
    own.git("push", "--quiet", "-o", "wait", "hub", "main")
    view = own.json("show")
    assert isinstance(view, dict)
    assert [stage["state"] for stage in view["stages"]] == ["cached", "cached"]
    own.wait_until_idle()


def test_reindex_queues_again_what_had_not_ended(own: Place) -> None:
    """The index is lost with a run in the queue; its ref is not."""
    from lockgate.hub.directory import open_hub
    from lockgate.hub.indexing.index import Index
    from lockgate.hub.indexing.rows import Request
    from lockgate.hub.queue import enqueue
    from lockgate.runs.runid import new_run_id

    hub = open_hub(own.hub)
    own.write("in.txt", "three\n")
    own.git("commit", "--quiet", "-am", "three")
    own.git("push", "--quiet", "-o", "skip", "hub", "main")
    request = Request(
        id=new_run_id(),
        project="p",
        ref="refs/heads/main",
        commit=own.git("rev-parse", "HEAD"),
        member="ana",
    )
    index = Index(hub.index)
    index.add_run(request, "received", time.time())
    enqueue(hub, index, request)
    index.close()
    (own.hub / "index.sqlite").write_bytes(b"not a database, " * 100)
    assert own.code("runs", exit_code=3) == "index-damaged"
    assert "lockgate hub reindex" in own.lockgate("hub", "doctor", "--hub", str(own.hub), code=1)
    found = own.json("hub", "reindex", "--hub", str(own.hub))
    assert isinstance(found, dict)
    assert (found["run_count"], found["queued_count"]) == (2, 1)
    deadline = time.monotonic() + 60
    while own.state(request.id) not in ("succeeded", "failed") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert own.state(request.id) == "succeeded"
    own.wait_until_idle()


def test_reindex_waits_for_no_dispatcher(own: Place) -> None:
    from lockgate.hub.directory import open_hub
    from lockgate.hub.running.dispatcher import DispatcherLock

    with DispatcherLock(open_hub(own.hub)) as lock:
        assert lock.acquire()
        assert own.code("hub", "reindex", "--hub", str(own.hub)) == "dispatcher-running"
        assert "already" in own.lockgate("hub", "dispatch", "--hub", str(own.hub))
    assert "nothing is queued" in own.lockgate("hub", "dispatch", "--linger", "0", "--hub", str(own.hub))


def test_reindex_tells_of_an_entry_it_cannot_read(own: Place) -> None:
    from lockgate.activity import chain
    from lockgate.activity.entry import Activity
    from lockgate.activity.key import load_key
    from lockgate.git.objects import Repository

    odd = Activity(
        kind="run.finished", at="2026-01-01T00:00:00Z", by="x", title="odd", evidence={"stages": 3}
    )
    chain.append(Repository(own.repository), odd, load_key(own.hub / "key"), at_epoch_s=1)
    found = own.json("hub", "reindex", "--hub", str(own.hub), code=1)
    assert isinstance(found, dict)
    assert found["run_count"] == 2
    assert len(found["problems"]) == 1


def test_doctor_finds_and_mends(own: Place) -> None:
    assert "problem" not in own.lockgate("hub", "doctor", "--deep")
    (own.hub / "wake").unlink()
    (own.repository / "hooks" / "pre-receive").write_text("#!/bin/sh\n")
    (own.hub / "bin" / "lockgate").unlink()
    found = own.json("hub", "doctor", code=1)
    assert isinstance(found, list)
    assert {each["what"] for each in found if each["state"] == "problem"} == {
        "wake", "bin/lockgate", "project p",
    }  # fmt: skip
    own.lockgate("hub", "doctor", "--fix")
    (own.hub / "key").chmod(0o644)
    assert "chmod 600" in own.lockgate("hub", "doctor", code=1)
    (own.hub / "key").chmod(0o600)
    (own.hub / "index.sqlite").unlink()
    assert "lockgate hub reindex" in own.lockgate("hub", "doctor", code=1)


def test_doctor_finds_a_lost_object(own: Place) -> None:
    blob = own.git("rev-parse", "HEAD:in.txt")
    loose = own.repository / "objects" / blob[:2] / blob[2:]
    assert loose.exists()
    loose.unlink()
    assert "fsck" in own.lockgate("hub", "doctor", "--deep", code=1)


def test_a_hub_command_without_a_hub(tmp_path: Path) -> None:
    nowhere = Place(tmp_path)
    nowhere.root.mkdir()
    assert nowhere.code("hub", "doctor") == "not-a-hub"
    assert nowhere.code("hub", "add-project", "p", "--hub", str(tmp_path / "none")) == "not-a-hub"
    found = nowhere.json("hub", "init", str(tmp_path / "new"))
    assert found == {"hub": str(tmp_path / "new"), "is_new": True}
    assert nowhere.code("hub", "add-project", "../x", "--hub", str(tmp_path / "new")) == "project-name"
    first = nowhere.json("hub", "add-project", "x", "--hub", str(tmp_path / "new"))
    again = nowhere.json("hub", "add-project", "x", "--hub", str(tmp_path / "new"))
    assert isinstance(first, dict)
    assert isinstance(again, dict)
    assert (first["is_new"], again["is_new"]) == (True, False)
    chain = nowhere.json("log", "--hub", str(tmp_path / "new"))
    assert isinstance(chain, list)
    assert len(chain) == 1
    nowhere.git("init", "--quiet")
    nowhere.git("remote", "add", "hub", "host:hubs/h/repositories/x.git")
    assert nowhere.code("hub", "doctor") == "hub-elsewhere"
