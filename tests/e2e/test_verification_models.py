"""Models that differ in their bytes: `lockgate verify` asks what they predict."""

from __future__ import annotations

import json
from typing import Any

from e2e_place import Place, WorkTree

_MANIFEST = """\
[stages.prepare]
run = "printf 'x\\n1\\n2\\n3\\n' > held.csv"
makes = ["held.csv"]
needs = []

[stages.train]
run = "python train.py"
needs = ["train.py"]
makes = ["build/model.pkl", "sure.txt"]

[verify."build/model.pkl"]
predict = { run = "python predict.py {model} held.csv", needs = ["predict.py", "held.csv"] }
tolerance = 0.01
"""
#: The slope is the same but for the noise; what else is in the pickle is another each time.
_TRAIN = """\
import os, pathlib, pickle, random

pathlib.Path("build").mkdir(exist_ok=True)
model = {"trained_at": os.urandom(8), "slope": 2 + random.random() * NOISE}
pathlib.Path("build/model.pkl").write_bytes(pickle.dumps(model))
pathlib.Path("sure.txt").write_text("sure\\n")
"""
_PREDICT = """\
import csv, pickle, sys

model = pickle.load(open(sys.argv[1], "rb"))
rows = [(row["x"], float(row["x"]) * model["slope"]) for row in csv.DictReader(open(sys.argv[2]))]
with open("predictions.csv", "w") as file:
    csv.writer(file).writerows([("x", "y"), *rows])
"""


def verified(place: Place, *words: str, noise: float = 0.0, predict: str = _PREDICT) -> dict[str, Any]:
    tree: WorkTree = place.project(
        {
            "lockgate.toml": _MANIFEST,
            "train.py": _TRAIN.replace("NOISE", str(noise)),
            "predict.py": predict,
        }
    )
    tree.push()
    found: dict[str, Any] = json.loads(tree.lockgate("verify", "latest", *words, "--json", code=None).out)
    assert {each["path"]: each["verdict"] for each in found["artifacts"]} == {
        "held.csv": "identical",
        "build/model.pkl": found["verdict"],
        "sure.txt": "identical",
    }
    return found


def words_of(found: dict[str, Any]) -> str:
    return next(str(each["words"]) for each in found["artifacts"] if each["path"] == "build/model.pkl")


def test_models_of_other_bytes_that_predict_the_same_are_equal(place: Place) -> None:
    found = verified(place)
    assert found["verdict"] == "within-tolerance"
    assert words_of(found) == "its bytes differ, its predictions are the same"
    jobs = [name for name in place.jobs(found["by_run"]) if "~" in name]
    assert jobs == ["train~predict.0.recorded", "train~predict.0.again"]


def test_predictions_have_a_tolerance(place: Place) -> None:
    found = verified(place, noise=0.001)
    assert found["verdict"] == "within-tolerance"
    assert words_of(found) == "its bytes differ, its predictions agree"


def test_models_that_predict_something_else_differ_and_the_cause_is_found(place: Place) -> None:
    found = verified(place, noise=1000)
    assert found["verdict"] == "differs"
    assert words_of(found) == "its predictions: column y, 3 of 3 rows (first: 1)"
    assert [each["factor"] for each in found["causes"]] == ["seed"]


def test_a_model_that_cannot_predict_is_told(place: Place) -> None:
    found = verified(place, "--no-cause", predict="raise SystemExit('no such layer')")
    assert found["verdict"] == "differs"
    assert "its predictions could not be made" in words_of(found)
    assert "no such layer" in words_of(found)
