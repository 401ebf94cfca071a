"""What every push must do: run exactly what was pushed, say so, and never be silent."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from e2e_place import ONE_STAGE, TWO_STAGES, Place, WorkTree, receipts, until

from lockgate.hub.directory import open_hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.queue import enqueue

SLOW_STAGE = """\
[stages.slow]
run = "cat i > o; while [ ! -e {gate} ]; do sleep 0.05; done"
needs = ["i"]
makes = ["o"]
"""


def test_a_first_push_runs_the_project_and_a_pull_brings_the_results(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "hello\n"})
    pushed = tree.head()
    done = tree.push()
    assert len(receipts(done)) == 1
    assert f"p · main @ {pushed[:10]}" in done.err
    assert "results are on the branch: git pull" in done.err
    tree.pull()
    assert tree.read("shouted") == "HELLO\n"
    assert tree.git("rev-parse", "HEAD~1").out.strip() == pushed
    assert tree.git("status", "--porcelain").out == ""
    message = tree.git("log", "-1", "--format=%B").out
    (run,) = place.runs()
    assert f"Lockgate-Run: {run.request.id}" in message
    assert "Lockgate-Status: succeeded" in message


def test_another_branch_runs_its_own_commit_and_the_receipt_names_it(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "of main\n"})
    tree.push()
    tree.git("checkout", "--quiet", "-b", "feature")
    pushed = tree.commit({"i": "of feature\n"})
    done = tree.push("feature")
    assert f"p · feature @ {pushed[:10]}" in done.err
    assert place.on_hub("show", "feature:o") == "of feature"
    assert place.on_hub("show", "main:o") == "of main"
    assert place.runs()[-1].request.commit == pushed


def test_a_push_is_accepted_while_another_run_goes_on(place: Place) -> None:
    gate = place.outside / "gate"
    tree = place.project({"lockgate.toml": SLOW_STAGE.format(gate=gate), "i": "1\n"})
    tree.git("push", "hub", "main")
    tree.commit({"i": "2\n"})
    second = tree.git("push", "hub", "main")
    assert len(receipts(second)) == 1
    gate.touch()
    place.settle()
    assert [row.state for row in place.runs()] == ["succeeded", "succeeded"]
    assert [row.has_moved_branch for row in place.runs()] == [False, True]
    tree.pull()
    assert tree.read("o") == "2\n"


def test_after_a_pull_the_next_push_while_another_branch_runs_goes_its_way(place: Place) -> None:
    gate = place.outside / "gate"
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.push()
    tree.pull()
    tree.git("checkout", "--quiet", "-b", "other")
    tree.commit({"lockgate.toml": SLOW_STAGE.format(gate=gate)})
    tree.git("push", "hub", "other")
    tree.git("checkout", "--quiet", "main")
    tree.commit({"i": "2\n"})
    assert "SUCCEEDED" in tree.push().err
    assert [row.state for row in place.runs()][1:] == ["running", "succeeded"]
    gate.touch()
    place.settle()
    assert place.runs()[1].state == "succeeded"


def test_two_pushes_at_the_same_moment_are_two_runs_and_two_receipts(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.git("branch", "other")
    pushes = [
        subprocess.Popen(
            ["git", "push", "-o", "wait", "hub", branch],
            cwd=tree.path,
            env=place.env,
            stderr=subprocess.PIPE,
            text=True,
        )
        for branch in ("main", "other")
    ]
    said = [push.communicate(timeout=60)[1] for push in pushes]
    assert [push.returncode for push in pushes] == [0, 0], said
    assert len({run for text in said for run in _runs_in(text)}) == 2
    assert [row.state for row in place.runs()] == ["succeeded", "succeeded"]
    assert sorted(place.finished()) == sorted(row.request.id for row in place.runs())


def test_two_branches_in_one_push_are_two_runs(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.git("branch", "other")
    done = tree.push("main", "other")
    assert len(set(receipts(done))) == 2
    assert place.on_hub("show", "other:o") == place.on_hub("show", "main:o") == "1"


@pytest.mark.parametrize("name", ["main", "master", "trunk"])
def test_the_hosts_name_for_a_first_branch_does_not_matter(place: Place, name: str) -> None:
    config = place.root / "gitconfig"
    config.write_text(f"[init]\n\tdefaultBranch = {name}\n[user]\n\tname = M\n\temail = m@example.org\n")
    place.env["GIT_CONFIG_GLOBAL"] = str(config)
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    assert tree.git("branch", "--show-current").out.strip() == name
    assert "SUCCEEDED" in tree.push(name).err
    clone = place.clone("clone", "c@example.org")
    assert clone.git("branch", "--show-current").out.strip() == name
    assert clone.read("o") == "1\n"


def test_a_deleted_branch_starts_nothing(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.push("main", "main:gone")
    before = len(place.runs())
    done = tree.git("push", "hub", "--delete", "gone")
    assert receipts(done) == []
    assert len(place.runs()) == before
    assert "refs/heads/gone" not in place.refs()


def test_the_branch_that_clones_check_out_can_be_deleted(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.push("main", "main:other")
    tree.git("push", "hub", "--delete", "main")
    assert "SUCCEEDED" in tree.push("main:third").err


def test_a_tag_starts_nothing(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.git("tag", "v1")
    assert receipts(tree.git("push", "hub", "v1")) == []
    assert place.runs() == []


def test_a_branch_without_a_manifest_is_stored_and_told_so(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.git("rm", "--quiet", "lockgate.toml")
    tree.commit()
    assert "stored, nothing to run: it has no lockgate.toml" in tree.push().err
    assert place.refs("refs/heads")["refs/heads/main"] == tree.head()
    assert place.runs() == []


def test_a_result_that_comes_too_late_for_the_branch_is_kept_beside_it(place: Place) -> None:
    gate = place.outside / "gate"
    tree = place.project({"lockgate.toml": SLOW_STAGE.format(gate=gate), "i": "1\n"})
    tree.git("push", "hub", "main")
    late = tree.commit({"unrelated": "x\n"})
    tree.git("push", "-o", "skip", "hub", "main")
    gate.touch()
    place.settle()
    (row,) = place.runs()
    assert not row.has_moved_branch
    assert place.refs("refs/heads")["refs/heads/main"] == late
    assert place.on_hub("show", f"{row.result_commit}:o") == "1"
    assert (
        place.on_hub("merge-base", "--is-ancestor", row.result_commit or "", "refs/lockgate/activity") == ""
    )


# A set-up that fails: the push must fail, and nothing may have moved.


def _is_refused(tree: WorkTree, *words: str, env: dict[str, str] | None = None) -> str:
    place = tree.place
    before = place.refs()
    done = tree.git("push", "-o", "wait", "hub", *(words or ("main",)), code=None, env=env)
    assert done.code != 0, done.said
    assert place.refs() == before
    return done.err


def test_a_push_fails_when_the_hubs_python_is_gone(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    for hook in ("pre-receive", "post-receive"):
        path = place.repository() / "hooks" / hook
        text = path.read_text()
        path.write_text(re.sub(r"(?m)^python=.*$", "python=/nowhere/bin/python", text, count=1))
    said = _is_refused(tree)
    assert "nothing was queued: this hub's Python is gone: /nowhere/bin/python" in said
    assert "lockgate hub doctor --fix" in said


def test_folders_that_unfold_into_ten_billion_files_are_refused(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})

    def made(rows: str) -> str:
        words = ["git", "mktree"]
        done = subprocess.run(words, cwd=tree.path, input=rows, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    folder = made(
        "".join(f"100644 blob {tree.git('rev-parse', 'HEAD:i').out.strip()}\t{n}\n" for n in range(10))
    )
    for _ in range(9):
        folder = made("".join(f"040000 tree {folder}\t{n}\n" for n in range(10)))
    top = made(f"{tree.git('ls-tree', 'HEAD').out}040000 tree {folder}\tfolder\n")
    commit = tree.git("commit-tree", top, "-p", "HEAD", "-m", "Unfolds").out.strip()
    words = ["git", "push", "--no-verify", "hub", f"{commit}:refs/heads/other"]
    done = subprocess.run(words, cwd=tree.path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[tree-too-large]" in done.stderr


def test_a_push_fails_when_the_index_cannot_be_written(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    (place.hub / "index.sqlite").mkdir()
    said = _is_refused(tree)
    assert "nothing was queued: the hub's index" in said


def test_a_push_fails_when_the_dispatcher_cannot_be_started(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    (place.hub / "dispatcher.log").mkdir()
    said = _is_refused(tree)
    assert "nothing was queued: the hub's dispatcher could not be started" in said
    (place.hub / "dispatcher.log").rmdir()
    assert "SUCCEEDED" in tree.push().err


def test_a_push_fails_when_the_hub_is_of_another_format(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    (place.hub / "hub.json").write_text('{"lockgate_hub": 99}\n')
    assert "is a hub of format 99" in _is_refused(tree)


@pytest.mark.slow
def test_a_push_fails_when_requirements_do_not_resolve(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n", "requirements.txt": "attrs>2\nattrs<1\n"})
    said = _is_refused(tree)
    assert "nothing was queued: the requirements do not resolve" in said
    assert tree.lockgate("run", code=None).code in (2, 3)


def test_a_push_that_git_refuses_after_the_hub_took_it_in_is_not_run(place: Place) -> None:
    """A run whose refs never moved is forgotten, not run."""
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.push()
    tree.pull()
    update = place.repository() / "hooks" / "update"
    update.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    update.chmod(update.stat().st_mode | stat.S_IXUSR)
    tree.commit({"i": "2\n"})
    _is_refused(tree)
    update.unlink()
    until(lambda: not place.is_dispatched() or len(place.finished()) == 1, "nothing more ran")
    assert place.finished() == [place.runs()[0].request.id]
    assert "SUCCEEDED" in tree.push().err
    assert len(place.finished()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("fate", ["is queued by the dispatcher", "is dropped by the dispatcher"])
def test_a_push_that_takes_very_long_between_its_hooks_is_one_run_with_a_receipt(
    place: Place, fate: str
) -> None:
    """The dispatcher looks after pushes that seem to have been killed; this one was only slow."""
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    post, update = (place.repository() / "hooks" / name for name in ("post-receive", "update"))
    if fate == "is queued by the dispatcher":
        post.write_text(post.read_text().replace("#!/bin/sh\n", "#!/bin/sh\nsleep 6\n", 1))
    else:
        update.write_text("#!/bin/sh\nsleep 13\n")
        update.chmod(0o755)
    done = tree.push()
    assert len(receipts(done)) == 1
    assert "SUCCEEDED" in done.err
    assert len(place.runs()) == 1
    assert place.finished() == [place.runs()[0].request.id]


def test_a_hook_that_queues_a_run_which_is_over_leaves_nothing_in_the_queue(place: Place) -> None:
    """The dispatcher looked after its push meanwhile."""
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.push()
    hub = open_hub(place.hub)
    index = Index(hub.index)
    enqueue(hub, index, place.runs()[0].request)
    index.close()
    assert place.on_hub("for-each-ref", "refs/lockgate/queue") == ""
    assert [row.state for row in place.runs()] == ["succeeded"]


def _runs_in(text: str) -> list[str]:
    return [
        line.split()[2] for line in text.splitlines() if line.startswith("remote: run ") and " · " in line
    ]


def test_the_hub_may_be_reached_through_a_relative_path(place: Place, tmp_path: Path) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.git("remote", "set-url", "hub", os.path.relpath(place.repository(), tree.path))
    assert "SUCCEEDED" in tree.push().err
    assert "succeeded" in tree.lockgate("runs").out
    assert tree.lockgate("run").code == 0


def test_a_snapshot_brings_only_what_changed_since_the_last(place: Place) -> None:
    many = {f"notes/{number}.txt": f"{number}\n" for number in range(120)}  # git keeps a pack of so many
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n", **many})
    packs = place.hub / "repositories/p.git/objects/pack"
    tree.lockgate("run")
    assert len(list(packs.glob("*.pack"))) == 1
    place.settle("p")
    tree.write({"i": "2\n"})
    assert "in the work tree: o" in tree.lockgate("run").said
    assert len(list(packs.glob("*.pack"))) == 1, "all of it came again"
