"""What `git push -o` and the options of `lockgate run` do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e_place import TWO_STAGES, Place, receipts

DEPTHS = """\
params = { depth = 3 }

[stages.train]
run = "echo depth {depth} > model"
needs = ["i"]
makes = ["model"]

[stages.other]
run = "cat i > other"
needs = ["i"]
makes = ["other"]

[stages.report]
run = "cat model other > report"
needs = ["model", "other"]
makes = ["report"]
"""


def test_only_runs_a_stage_and_what_it_depends_on(place: Place) -> None:
    tree = place.project({"lockgate.toml": DEPTHS, "i": "1\n"})
    tree.git("push", "-o", "wait", "-o", "only=train", "hub", "main")
    assert place.states(place.runs()[-1].request.id) == {"train": "succeeded"}
    tree.pull()
    assert tree.has("model")
    assert not tree.has("other")
    tree.lockgate("run", "report")
    assert place.states(place.runs()[-1].request.id) == {
        "train": "cached",
        "other": "succeeded",
        "report": "succeeded",
    }


def test_a_parameter_counts_for_its_run_and_the_reason_says_so(place: Place) -> None:
    tree = place.project({"lockgate.toml": DEPTHS, "i": "1\n"})
    tree.push()
    tree.pull()
    assert tree.read("model") == "depth 3\n"
    said = tree.git("push", "-o", "wait", "-o", "param.depth=5", "hub", "main:deep").err
    assert "will run: parameter depth 3 → 5" in said
    assert place.on_hub("show", "deep:model") == "depth 5"
    assert place.runs()[-1].request.params == {"depth": "5"}
    tree.lockgate("run", "-p", "depth=5")
    assert tree.read("model") == "depth 5\n"
    assert set(place.states(place.runs()[-1].request.id).values()) == {"cached"}
    tree.lockgate("run")
    assert tree.read("report") == "depth 3\n1\n"


def test_force_runs_a_stage_though_its_result_is_known(place: Place) -> None:
    tree = place.project({"lockgate.toml": DEPTHS, "i": "1\n"})
    tree.push()
    tree.pull()
    said = tree.git("push", "-o", "wait", "-o", "force=train", "hub", "main:again").err
    assert "train" in said
    assert "will run: forced" in said
    assert place.states(place.runs()[-1].request.id) == {
        "train": "succeeded",
        "other": "cached",
        "report": "cached",
    }
    tree.lockgate("run", "--force", "other")
    assert place.states(place.runs()[-1].request.id)["other"] == "succeeded"


def test_skip_stores_a_push_and_runs_nothing(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    done = tree.git("push", "-o", "skip", "hub", "main")
    assert receipts(done) == []
    assert place.runs() == []
    assert place.refs("refs/heads")["refs/heads/main"] == tree.head()


def test_a_backend_may_be_named(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    assert "backend local" in tree.git("push", "-o", "wait", "-o", "backend=local", "hub", "main").err
    assert place.runs()[-1].request.backend == "local"


def test_a_detached_run_is_queued_and_comes_to_its_end(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    assert "follow: lockgate logs" in tree.lockgate("run", "--detach").out
    assert not tree.has("o")
    place.settle()
    assert place.runs()[0].state == "succeeded"


def test_batch_settings_come_from_the_branch_that_clones_check_out(place: Place) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.push()
    tree.git("checkout", "-q", "-b", "feature")
    tree.commit({"lockgate.toml": TWO_STAGES + '\n[batch]\nbackend = "local"\n', "i": "2\n"})
    assert "backend local" in tree.push("feature").err


# Reasons


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"i": "2\n"}, "i"),
        ({"lockgate.toml": TWO_STAGES.replace("cat i > o", "cat i i > o")}, "command changed"),
        ({"requirements.txt": "attrs==23.2.0\n"}, "attrs"),
    ],
)
def test_a_plan_says_why_a_stage_runs(place: Place, change: dict[str, str], reason: str) -> None:
    tree = place.project({"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.push()
    tree.pull()
    tree.commit(change)
    (line,) = [line for line in tree.git("push", "hub", "main").err.splitlines() if "remote:   copy " in line]
    assert "will run: " in line
    assert reason in line


# The same everywhere

FIGURES = """\
[stages.table]
run = "python table.py"
needs = ["table.py", "data.csv"]
makes = ["table.csv", "folder"]

[stages.draw]
run = "python draw.py"
needs = ["draw.py", "table.csv"]
makes = ["figure.png"]
figures = ["figure.svg"]
"""

TABLE = """\
import csv, os, pathlib, random
rows = list(csv.DictReader(open("data.csv")))
kinds = {row["kind"] for row in rows}
with open("table.csv", "w", newline="") as file:
    out = csv.writer(file)
    for kind in kinds:
        total = sum(int(row["n"]) for row in rows if row["kind"] == kind)
        out.writerow([kind, total, hash(kind), os.environ["SOURCE_DATE_EPOCH"]])
folder = pathlib.Path("folder/deep")
folder.mkdir(parents=True)
for kind in kinds:
    (folder / kind).write_text(kind)
"""

DRAW = """\
import csv
import matplotlib
import matplotlib.pyplot as plt
rows = list(csv.reader(open("table.csv")))
figure, axes = plt.subplots()
axes.bar([row[0] for row in rows], [int(row[1]) for row in rows])
figure.savefig("figure.png")
figure.savefig("figure.svg")
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_hubs_make_the_same_bytes_of_the_same_snapshot(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = "kind,n\n" + "".join(f"k{n % 7},{n}\n" for n in range(100))
    files = {
        "lockgate.toml": FIGURES,
        "table.py": TABLE,
        "draw.py": DRAW,
        "data.csv": data,
        "requirements.txt": "matplotlib==3.9.2\n",
    }
    tree = place.project(files)
    tree.push()
    (tmp_path / "elsewhere").mkdir()
    other = Place(tmp_path / "elsewhere")
    other.env |= {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "77", "USER": "somebody"}
    try:
        twin = other.clone("twin", "other@example.org", url=str(tree.path))
        twin.git("remote", "remove", "hub")
        twin.lockgate("init")
        assert twin.head() == tree.head()
        twin.push("HEAD:refs/heads/main")
    finally:
        other.close()
    for path in ("table.csv", "folder", "figure.png", "figure.svg"):
        assert place.on_hub("rev-parse", f"main:{path}") == other.on_hub(
            "rev-parse", "main:" + path, project="twin"
        ), path


def test_parameters_that_a_matrix_shares_can_be_asked_for(place: Place) -> None:
    stage = (
        '[stages.s]\nrun = "echo {m} {n} > o-{m}"\nneeds = []\nmakes = ["o-{m}"]\nmatrix = { m = [1, 2] }\n'
    )
    tree = place.project({"lockgate.toml": "[params]\nn = 3\n" + stage})
    assert json.loads(tree.lockgate("status", "--json").out)["params"] == {"n": 3}
