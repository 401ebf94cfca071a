"""What `lockgate verify` does: a run made again from nothing, compared, and told in the chain."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from e2e_place import TWO_STAGES, Place, WorkTree, until

STEADY = TWO_STAGES
COUNTING = """\
[stages.count]
run = "n=$(cat {counter} || echo 0); echo $((n + 1)) > {counter}; echo result $n > o; cat i > same"
needs = ["i"]
makes = ["o", "same"]
params = {{ counter = "{counter}" }}

[stages.shout]
run = "tr a-z A-Z < o > shouted"
needs = ["o"]
makes = ["shouted"]
"""


def verify(tree: WorkTree, *words: str, code: int | None = 0) -> Any:
    return json.loads(tree.lockgate("verify", *words, "--json", code=code).out)


def test_a_run_that_makes_the_same_again_is_identical_and_nothing_is_replaced(place: Place) -> None:
    tree = place.project({"lockgate.toml": STEADY, "i": "hello\n"})
    tree.push()
    tree.pull()
    run, head = place.runs()[-1].request.id, tree.head()
    found = verify(tree, run[-8:])
    assert found["verdict"] == "identical"
    assert found["run"] == run
    assert {each["path"]: each["verdict"] for each in found["artifacts"]} == {
        "o": "identical",
        "shouted": "identical",
    }
    # Both stages ran, although their results are known
    assert place.states(found["by_run"]) == {"copy": "succeeded", "shout": "succeeded"}
    assert place.on_hub("rev-parse", "main") == head
    tree.commit({"unrelated": "x"})
    tree.push()
    newest = place.runs()[-1]
    assert {job.reused_from for job in place.jobs(newest.request.id).values()} == {run}
    kinds = [each.kind for each in place.activities() if each.run == found["by_run"]]
    assert sorted(kinds) == ["run.finished", "run.queued", "verification"]
    assert "was verified: identical" in tree.lockgate("log").out
    assert "verification of" in tree.lockgate("runs").out


def test_a_run_that_makes_something_else_differs_and_says_where(place: Place) -> None:
    counter = place.outside / "counter"
    tree = place.project({"lockgate.toml": COUNTING.format(counter=counter), "i": "hello\n"})
    tree.push()
    tree.pull()
    said = tree.lockgate("verify", "latest", "--no-cause", code=1).out
    assert "differs: o: " in said
    assert "1 artifact is identical" in said
    assert tree.read("shouted") == "RESULT 0\n"
    assert verify(tree, "latest", "--stage", "shout")["verdict"] == "identical"


def test_a_verification_goes_on_after_its_dispatcher_was_killed(place: Place) -> None:
    gate = place.outside / "gate"
    gate.touch()
    slow = TWO_STAGES.replace("cat i > o", f"until [ -e {gate} ]; do sleep 0.05; done; cat i > o")
    tree = place.project({"lockgate.toml": slow, "i": "hello\n"})
    tree.push()
    run = place.runs()[-1].request.id
    gate.unlink()
    with subprocess.Popen(
        ["lockgate", "verify", run, "--json"], cwd=tree.path, env=place.env, stdout=subprocess.PIPE
    ) as asking:
        until(lambda: place.runs()[-1].request.proof is not None, "the verification is queued")
        until(lambda: place.states(place.runs()[-1].request.id).get("copy") == "running", "it runs")
        place.kill_dispatcher()
        gate.touch()
        out, _ = asking.communicate(timeout=100)
    assert asking.returncode == 0
    assert json.loads(out)["verdict"] == "identical"
    assert [each.kind for each in place.activities() if each.kind == "verification"] == ["verification"]
