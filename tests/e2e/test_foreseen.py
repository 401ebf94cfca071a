"""Before the click and after a kill: what a run will take, and the size that would have done."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from e2e_place import TWO_STAGES, Place, WorkTree, receipts, until

HUNGRY = """\
[stages.hungry]
run = "python3 hold.py {size}"
needs = ["hold.py"]
makes = ["o-{size}"]
memory = "60 MB"
matrix = { size = [1, 120] }
"""

HOLD = """\
import pathlib, sys, time
held = bytearray(int(sys.argv[1]) * 1_000_000)
time.sleep(2 if len(held) > 10**7 else 0.3)
pathlib.Path(f"o-{sys.argv[1]}").write_text("held\\n")
"""


def foreseen(tree: WorkTree, *words: str) -> dict[str, dict[str, Any]]:
    """Return the stages of a dry run's forecast, and the whole under an empty name."""
    whole = json.loads(tree.lockgate("run", "--dry-run", "--json", *words).out)
    return {stage["stage"]: stage for stage in whole["stages"]} | {"": whole}


def test_a_dry_run_tells_and_leaves_everything_as_it_was(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    untouched = place.refs()
    first = tree.lockgate("run", "--dry-run").out
    assert "2 of 2 stages would run" in first
    assert "forecast: no earlier run to go by" in first
    assert re.search(r"copy +run +local +no earlier run +never run", first), first
    assert re.search(r"shout +maybe +local +no earlier run +after copy", first), first
    assert place.runs() == []
    assert place.refs() == untouched
    assert not place.is_dispatched()
    tree.lockgate("run")
    before = place.refs()
    assert "nothing to do: 2 stages, known already" in tree.lockgate("run", "--dry-run").out
    tree.write({"i": "2\n"})
    found = foreseen(tree)
    assert found["copy"]["action"] == "run"
    assert found["copy"]["reason"] == "data changed: i"
    assert found["copy"]["expected"]["job_count"] == 1
    assert found["shout"]["action"] == "maybe"
    assert 0 <= found[""]["seconds_at_once"] <= found[""]["seconds_in_turn"]
    assert found[""].get("unknown") is None
    assert len(place.runs()) == 1
    assert place.refs() == before


def test_a_dry_run_takes_what_a_run_takes_and_refuses_what_it_refuses(place: Place) -> None:
    tree = place.project({"lockgate.toml": HUNGRY, "hold.py": HOLD})
    found = foreseen(tree, "hungry@size=1", "--memory", "2 GB", "--cpus", "1")
    assert list(found) == ["hungry@size=1", ""]
    assert found["hungry@size=1"]["resources"] == {"memory_bytes": 2_000_000_000}
    assert "there is no stage nosuch" in tree.lockgate("run", "--dry-run", "nosuch", code=2).err
    assert "[backend-unknown]" in tree.lockgate("run", "--dry-run", "--on", "nosuch", code=2).err
    assert "[resource-invalid]" in tree.lockgate("run", "--memory", "much", code=2).err
    assert place.runs() == []


def test_a_dry_push_moves_nothing(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    untouched = place.refs()
    done = tree.git("push", "-o", "dry-run", "hub", "main", code=1)
    assert "copy   will run: never run" in done.err
    assert "lockgate: dry run: nothing was queued, no ref was moved" in done.err
    assert receipts(done) == []
    assert place.refs() == untouched
    assert place.runs() == []


def test_a_job_killed_for_memory_is_offered_again_and_the_offer_is_good(place: Place) -> None:
    tree = place.project({"lockgate.toml": HUNGRY, "hold.py": HOLD})
    said = tree.lockgate("run", code=1).out
    offers = re.findall(r"hungry@size=120  FAILED: .*; once with more: (lockgate run .*); for good: ", said)
    assert len(offers) == 1, said
    words = shlex.split(offers[0])
    assert words[:4] == ["lockgate", "run", "hungry@size=120", "--memory"]
    stages = {stage["stage"]: stage for stage in tree.show()["stages"]}
    assert offers[0] in stages["hungry@size=120"]["cause"]
    assert offers[0] in place.on_hub("show", f"{place.runs()[0].result_commit}:lockgate.failed/cause.txt")
    warned = foreseen(tree)["hungry@size=120"]["warnings"]
    assert len(warned) == 1
    assert warned[0].startswith("asks for 60.0 MB of memory; was killed at ")
    assert warned[0].endswith("(lockgate.toml:5)")
    again = tree.lockgate("run", "--dry-run", *words[2:]).out
    assert "careful" not in again
    tree.lockgate(*words[1:])
    assert tree.read("o-120") == "held\n"
    assert place.runs()[-1].request.memory_bytes == 10**6 * int(words[4].split()[0])
    assert place.states(place.runs()[-1].request.id) == {"hungry@size=120": "succeeded"}
    shown = tree.lockgate("show").out
    assert re.search(r"hungry@size=120 +succeeded +\d[\d.]* s +\d+ MB", shown), shown
    tree.write({"hold.py": HOLD + "# other\n"})
    found = foreseen(tree)
    expected = found["hungry@size=120"]["expected"]
    assert expected["job_count"] == 1
    assert expected["memory_most_bytes"] > 120_000_000
    assert expected["seconds"] > 1.9
    assert "took" in found["hungry@size=120"]["warnings"][0]
    assert "it will be killed" in found["hungry@size=120"]["warnings"][0]
    receipt = tree.lockgate("run", "--detach").out
    assert re.search(r"  forecast: about .* s.*, \d+ MB a job at most", receipt), receipt
    assert "  careful: hungry@size=120 asks for 60.0 MB of memory; took " in receipt
    place.settle()
    assert "needed up to" in tree.lockgate("show").out


def test_what_jobs_took_survives_the_index(place: Place) -> None:
    tree = place.project({"lockgate.toml": HUNGRY, "hold.py": HOLD})
    tree.lockgate("run", code=1)
    tree.write({"hold.py": HOLD + "# other\n"})
    before = foreseen(tree)
    until(lambda: not place.is_dispatched(), "the dispatcher has ended")
    (place.hub / "index.sqlite").unlink()
    tree.lockgate("hub", "reindex")
    after = foreseen(tree)
    for stage in ("hungry@size=1", "hungry@size=120"):
        assert after[stage]["expected"] == before[stage]["expected"]
        assert after[stage].get("warnings") == before[stage].get("warnings")


def test_resources_of_a_push_hold_for_the_stages_asked_for(place: Place) -> None:
    manifest = """\
[stages.first]
run = "echo $OMP_NUM_THREADS > a"
needs = []
makes = ["a"]
[stages.second]
run = "echo $OMP_NUM_THREADS > b; sleep 600"
needs = ["a"]
makes = ["b"]
"""
    tree = place.project({"lockgate.toml": manifest})
    said = tree.git(
        *("push", "-o", "wait", "-o", "only=second", "-o", "walltime=1 s", "-o", "cpus=2", "hub", "main")
    ).err
    assert "second  FAILED: killed after 1.0 s" in said
    assert 'lockgate run second --walltime "10 s"' in said
    commit = place.runs()[0].result_commit
    assert (place.on_hub("show", f"{commit}:a"), place.on_hub("show", f"{commit}:b")) == ("1", "2")
