"""Messages, proposals and pipelines kept as files: a change of wording shows in the diff.

`make golden` writes them anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lockgate.errors import UserError
from lockgate.project.dvc import parse_dvc
from lockgate.project.expand import build_pipeline
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import Pipeline
from lockgate.project.proposal import propose

HERE = Path(__file__).parent


def check(name: str, text: str) -> None:
    file = HERE / name
    if os.environ.get("LOCKGATE_GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


def told(build: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        build()
    return f"[{caught.value.code}] {caught.value}\n"


def pipeline_text(pipeline: Pipeline) -> str:
    return msgspec.json.format(msgspec.json.encode(pipeline), indent=1).decode() + "\n"


def test_the_manifest_of_the_design_as_a_pipeline() -> None:
    text = (HERE / "flights.toml").read_text(encoding="utf-8")
    check("flights.pipeline.json", pipeline_text(build_pipeline(parse_manifest(text), {}, "p")))


def test_a_dvc_project_as_a_pipeline() -> None:
    text = (HERE / "dvc.yaml").read_text(encoding="utf-8")
    params = {"params.yaml": (HERE / "params.yaml").read_text(encoding="utf-8")}
    check("dvc.pipeline.json", pipeline_text(build_pipeline(parse_dvc(text, params), {}, "p")))


def test_what_is_said_about_mistakes() -> None:
    cases = (HERE / "mistakes.txt").read_text(encoding="utf-8").split("\n----\n")
    said = []
    for case in cases:
        file, _, text = case.partition("\n")
        if file == "lockgate.toml":
            said.append(told(lambda text=text: build_pipeline(parse_manifest(text), {}, "p")))  # type: ignore[misc]
        else:
            said.append(told(lambda text=text: build_pipeline(parse_dvc(text, {}), {}, "p")))  # type: ignore[misc]
    check("mistakes.said.txt", "".join(said))


def test_the_manifest_proposed_for_a_folder_of_scripts() -> None:
    code = "open('build/metrics.json')\nplt.savefig('figures/trend.png')"
    cell = {"cell_type": "code", "source": code}
    files = {
        "README.md": "",
        "requirements.txt": "pandas",
        "Makefile": "all:",
        "data/flights.csv": "",
        "helpers.py": "def clean(table):\n    return table.dropna()\n",
        "01_prepare.py": "import pandas as pd\nfrom pathlib import Path\nfrom helpers import clean\n"
        "DATA = Path('data')\nclean(pd.read_csv(DATA / 'flights.csv')).to_parquet('build/flights.parquet')\n",
        "02_train.py": "import joblib, json, pandas as pd\ntable = pd.read_parquet('build/flights.parquet')\n"
        "for depth in (4, 8):\n    joblib.dump(depth, f'build/models/{depth}.pkl')\n"
        "json.dump({}, open('build/metrics.json', 'w'))\n",
        "report.ipynb": json.dumps({"nbformat": 4, "metadata": {}, "cells": [cell]}),
        "explore.R": "table <- read.csv(commandArgs()[1])\n",
    }
    check("proposed.toml", propose(list(files), lambda path: files[path].encode(), "flights") or "")


def test_the_manifest_proposed_for_an_empty_folder() -> None:
    check("proposed-empty.toml", propose([], lambda path: b"", "flights") or "")
