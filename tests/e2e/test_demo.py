"""The demo of the README, as `make demo` runs it: real data, two pushes, two pulls."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODELS = {"logistic", "forest", "boosting"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_works_through_two_pushes(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    done = subprocess.run(
        ["sh", ROOT / "examples" / "demo.sh"],
        env=os.environ | {"DEMO": str(demo)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    project = demo / "flights"
    metrics = json.loads((project / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["late_minutes"] == 30
    assert set(metrics["models"]) == MODELS
    assert all(0.65 < scores["roc_auc"] < 0.9 for scores in metrics["models"].values())
    assert "data:image/png;base64" in (project / "report.html").read_text(encoding="utf-8")
    assert len(list((project / "figures").rglob("*.png"))) == 7

    log = _git(project, "log", "--format=%s%x00%b%x1e", "--reverse").split("\x1e")[:-1]
    assert sum("Lockgate-Run:" in entry for entry in log) == 2
    first, second = (number for number, entry in enumerate(log) if "Lockgate-Run:" in entry)
    changed = _git(project, "diff", "--name-only", f"HEAD~{second - first}", "HEAD").split()
    assert "figures/models/roc.png" in changed
    assert not [path for path in changed if path.startswith("figures/explore/")]
    assert _git(project, "status", "--porcelain") == ""

    again = tmp_path / "again"
    _git(tmp_path, "clone", "--quiet", str(project), str(again))
    done = subprocess.run(
        ["lockgate", "run"],
        cwd=again,
        env=os.environ | {"LOCKGATE_HUB": str(tmp_path / "another-hub")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cached" not in done.stdout, "another hub knows nothing yet"
    assert _artifacts(again) == _artifacts(project), "the same snapshot gives the same bytes on any hub"


def test_the_demo_leaves_a_folder_it_did_not_make_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    done = subprocess.run(
        ["sh", ROOT / "examples" / "demo.sh"],
        env=os.environ | {"DEMO": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no earlier demo made it" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def _artifacts(project: Path) -> dict[str, str]:
    """Return path → digest of everything the stages made, tables, figures, metrics, models and pages."""
    lines = [json.loads(line) for line in (project / "lockgate.lock").read_text("utf-8").splitlines()]
    return {line["artifact"]: line["md5"] for line in lines if "artifact" in line}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout
