"""Members: with nothing but git, many at once, each knowing what the others have run."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from e2e_place import DEADLINE_S, ONE_STAGE, TWO_STAGES, Place, WorkTree, receipts, run_program


@pytest.fixture
def only_git(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has git and a shell: neither Lockgate nor Python."""
    folder = tmp_path / "only-git"
    folder.mkdir()
    for name in ("git", "sh", "cat", "ls"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return {"PATH": str(folder), "HOME": os.environ["HOME"]}


def test_a_machine_with_git_alone_pushes_reads_the_receipt_and_pulls(
    place: Place, only_git: dict[str, str]
) -> None:
    place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"}).push()
    assert shutil.which("lockgate", path=only_git["PATH"]) is None
    assert shutil.which("python3", path=only_git["PATH"]) is None
    clone = place.root / "clone"
    run_program(["git", "clone", "-q", "-o", "hub", str(place.repository()), "clone"], place.root, only_git)
    (clone / "i").write_text("from afar\n")
    run_program(["git", "commit", "-qam", "mine"], clone, only_git)
    done = run_program(["git", "push", "-o", "wait", "hub", "main"], clone, only_git)
    assert len(receipts(done)) == 1
    assert "remote: shout  done in" in done.err
    assert "results are on the branch: git pull" in done.err
    run_program(["git", "pull", "-q", "hub", "main"], clone, only_git)
    assert (clone / "shouted").read_text() == "FROM AFAR\n"


def test_what_one_member_ran_is_nothing_to_do_for_another_and_names_the_run(place: Place) -> None:
    first = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"}, member="one@example.org")
    first.push()
    first.git("push", "-o", "skip", "hub", "main~0:refs/heads/base")
    second = place.clone("second", "two@example.org")
    second.git("checkout", "-q", "-b", "mine", "hub/base")
    second.commit({"unrelated": "x\n"})
    said = second.push("mine").err
    assert "nothing to do: 2 stages, known already" in said
    one, two = place.runs()
    assert (one.request.member, two.request.member) == ("one@example.org", "two@example.org")
    assert f"copy  cached from run {one.request.id[-8:]}" in said
    assert set(place.states(two.request.id).values()) == {"cached"}
    second.pull("mine")
    assert second.read("shouted") == "1\n"


def test_a_run_of_the_work_tree_makes_the_push_of_it_nothing_to_do(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.write({"i": "tried\n"})
    tree.lockgate("run")
    tree.commit()
    assert "nothing to do" in tree.push().err


def test_nothing_changed_makes_no_result_commit(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.push()
    tree.pull()
    head = tree.head()
    assert "nothing to do" in tree.push("main:again").err
    row = place.runs()[-1]
    assert row.result_commit == head
    assert not row.has_moved_branch
    assert place.refs("refs/heads") == {"refs/heads/again": head, "refs/heads/main": head}
    assert len(place.finished()) == 2


def test_two_projects_of_one_hub_share_nothing(place: Place) -> None:
    one = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"}, name="one")
    two = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"}, name="two")
    one.push()
    assert "will run: never run" in two.push().err
    assert len(place.runs("one")) == len(place.runs("two")) == 1


CLONES, PUSHES = 8, 8
#: What git says when a result has come meanwhile; the last: between its first look and its moving the branch.
GONE_ON = ("fetch first", "non-fast-forward", "cannot lock ref")

EVERYONE = """\
[stages.copy]
run = "cat i > o; echo $LOCKGATE_RUN >> {ran}"
needs = ["i"]
makes = ["o"]
"""


@pytest.mark.slow
def test_sixty_four_pushes_at_once_lose_and_double_nothing(place: Place) -> None:
    ran = place.outside / "ran"
    place.project({"lockgate.toml": EVERYONE.format(ran=ran), "i": "0\n"}).git(
        "push", "-q", "-o", "skip", "hub", "main"
    )
    clones = [place.clone(f"clone{n}", f"m{n}@example.org") for n in range(CLONES)]
    with ThreadPoolExecutor(CLONES) as pool:
        given = [run for runs in pool.map(_push_many, range(CLONES), clones) for run in runs]
    place.settle(deadline_s=2 * DEADLINE_S)

    rows = place.runs()
    ids = sorted(row.request.id for row in rows)
    assert len(given) == len(set(given)) == CLONES * PUSHES
    assert sorted(given) == sorted(run[-8:] for run in ids)
    assert [row.state for row in rows] == ["succeeded"] * (CLONES * PUSHES)
    assert sorted(place.finished()) == ids
    assert sorted(a.run or "" for a in place.activities() if a.kind == "run.queued") == ids
    assert sorted(ran.read_text().split()) == ids
    for number in range(CLONES):
        assert place.on_hub("show", f"b{number}:o") == f"{number} {PUSHES - 1}"
        assert place.on_hub("show", f"b{number}:i") == f"{number} {PUSHES - 1}"
    assert place.on_hub("for-each-ref", "refs/lockgate/queue") == ""
    assert place.on_hub("fsck", "--no-dangling") == ""


def _push_many(number: int, tree: WorkTree) -> list[str]:
    """Push as fast as git lets; where it says `fetch first`, a result has come: take it and go on."""
    branch, given = f"b{number}", []
    tree.git("checkout", "-q", "-b", branch)
    for push in range(PUSHES):
        tree.commit({"i": f"{number} {push}\n"})
        for _ in range(20):
            done = tree.git("push", "hub", branch, code=None)
            given += receipts(done)
            if done.code == 0:
                break
            assert any(words in done.err for words in GONE_ON), done.err
            tree.git("pull", "-q", "--rebase", "-X", "theirs", "hub", branch)
        else:
            raise AssertionError(f"push {push} of {branch} was never taken: {done.err}")
    return given


def test_many_members_ask_while_others_push(place: Place) -> None:
    """Questions never wait for runs, and runs never for questions."""
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "0\n"})
    asking = [
        subprocess.Popen(
            ["sh", "-c", "n=0; while [ $n -lt 8 ]; do lockgate runs >/dev/null || exit 1; n=$((n+1)); done"],
            cwd=tree.path,
            env=place.env,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for number in range(4):
        tree.commit({"i": f"{number + 1}\n"})
        assert "SUCCEEDED" in tree.push().err
        tree.pull()
    for asker in asking:
        _, said = asker.communicate(timeout=60)
        assert asker.returncode == 0, said
