"""A project read at one moment, ready to be planned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from lockgate.errors import UserError
from lockgate.git.listing import FILE, LINK, Entry, Listing, blob_id
from lockgate.runs.load import Loaded, load, manifest_path
from lockgate.runs.lockfile import write_lock
from lockgate.runs.record import StageRecord

TOML = '[stages.a]\nrun = "x {depth}"\nneeds = ["a.py"]\nmakes = ["out"]\nparams = { depth = 4 }\n'


class Files:
    """A source of files that remembers how often it was asked."""

    def __init__(self, files: Mapping[str, bytes | str], links: Mapping[str, str] = {}) -> None:
        self.contents = {
            name: c.encode() if isinstance(c, str) else c for name, c in {**files, **links}.items()
        }
        self.links = links
        self.reads: list[list[str]] = []

    def files(self) -> Listing:
        return {
            name: Entry(LINK if name in self.links else FILE, blob_id(content))
            for name, content in self.contents.items()
        }

    def read(self, paths: Sequence[str]) -> dict[str, bytes]:
        self.reads.append(list(paths))
        return {path: self.contents[path] for path in paths if path in self.contents}


def loaded(files: Mapping[str, bytes | str], links: Mapping[str, str] = {}, **overrides: str) -> Loaded:
    return load(Files(files, links), overrides, "p")


def test_one_reading_does_where_there_is_nothing_more_to_read() -> None:
    source = Files({"lockgate.toml": TOML, "a.py": ""})
    found = load(source, {"depth": "5"}, "p")
    assert source.reads == [["lockgate.toml", "lockgate.lock"]]
    assert [(stage.name, stage.command) for stage in found.pipeline.stages] == [("a", "x 5")]
    assert found.pipeline.project == "p"
    assert dict(found.inputs.of("a", ()).files).keys() == {"a.py"}
    assert found.lock == {}


def test_the_lock_is_read() -> None:
    record = StageRecord(
        stage="a", fingerprint="f", run="R", commit="c", member="m", ended_at="", command="x", runtime="r"
    )
    assert loaded({"lockgate.toml": TOML, "lockgate.lock": write_lock([record])}).lock == {"a": record}
    with pytest.raises(UserError, match=r"lockgate\.lock:1"):
        loaded({"lockgate.toml": TOML, "lockgate.lock": "<<<<<<<"})


def test_links_are_known_by_their_targets() -> None:
    toml = TOML.replace('"a.py"', '"link"')
    found = loaded({"lockgate.toml": toml, "a.py": ""}, {"link": "a.py"})
    assert dict(found.inputs.of("a", ()).files).keys() == {"link", "a.py"}


def test_a_need_that_is_missing_is_told_with_its_line() -> None:
    with pytest.raises(UserError, match=r"^lockgate\.toml:3: stage a needs a\.py"):
        loaded({"lockgate.toml": TOML}).inputs.of("a", ())


def test_a_notebook_tells_its_parameters() -> None:
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "depth = 1", "outputs": []}
    notebook = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    toml = '[stages.n]\nnotebook = "n.ipynb"\nparams = { depth = 4 }\n'
    stage = loaded({"lockgate.toml": toml, "n.ipynb": notebook}).pipeline.stages[0]
    assert stage.params == {"depth": 4}
    assert stage.makes == ("n.executed.ipynb", "n.html")
    assert loaded({"lockgate.toml": toml}).pipeline.stages[0].params == {}


DVC = "stages:\n  a:\n    cmd: x\n    params: [train.depth]\n    outs: [out]\n"


def test_a_dvc_pipeline_with_its_parameters() -> None:
    found = loaded({"dvc.yaml": DVC, "params.yaml": "train: {depth: 8}\nother: 1\n"})
    assert found.pipeline.source == "dvc.yaml"
    assert found.pipeline.stages[0].params == {"train.depth": 8}
    with pytest.raises(UserError, match=r"tracks parameter train\.depth, which params\.yaml does not have"):
        loaded({"dvc.yaml": DVC, "params.yaml": "other: 1\n"})


def test_lockgates_own_file_comes_first() -> None:
    both: dict[str, Entry] = {name: Entry(FILE, "1" * 40) for name in ("dvc.yaml", "lockgate.toml")}
    assert manifest_path(both) == "lockgate.toml"
    assert manifest_path({"sub/lockgate.toml": Entry(FILE, "1" * 40)}) is None


def test_no_project() -> None:
    with pytest.raises(UserError) as caught:
        loaded({"a.py": ""})
    assert (caught.value.code, caught.value.hint) == (
        "no-manifest",
        "Let Lockgate propose one: lockgate init",
    )


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(UserError) as caught:
        loaded({"lockgate.toml": b"# one\n# caf\xe9\n"})
    assert caught.value.code == "not-utf8"
    assert caught.value.message == "lockgate.toml:2: not UTF-8 text"


COPY = "stages:\n  a:\n    cmd: cp x.csv y.csv\n    deps: [x.csv]\n    outs: [y.csv]\n"


def test_a_lockgate_toml_without_stages_adds_to_the_dvc_yaml_beside_it() -> None:
    toml = "[batch]\nbackend = 'slurm'\n[checks.'x.csv'.columns]\nn = { type = 'integer' }\n"
    found = loaded({"dvc.yaml": COPY, "lockgate.toml": toml, "x.csv": ""})
    assert [stage.name for stage in found.pipeline.stages] == ["a", "check@x.csv"]
    assert found.pipeline.source == "dvc.yaml"
    assert found.pipeline.batch.backend == "slurm"
    with pytest.raises(UserError, match=r"^lockgate\.toml:3: \[checks\]: z\.csv is not in the project"):
        loaded({"dvc.yaml": COPY, "lockgate.toml": toml.replace("x.csv", "z.csv"), "x.csv": ""})
    with pytest.raises(UserError, match=r"^dvc\.yaml:2: stage a needs x\.csv"):
        loaded({"dvc.yaml": COPY, "lockgate.toml": "[project]\nname = 'p'\n"}).inputs.of("a", ())
    both = loaded({"dvc.yaml": COPY, "lockgate.toml": TOML, "a.py": ""})
    assert both.pipeline.source == "lockgate.toml"
