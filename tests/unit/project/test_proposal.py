"""The first manifest, proposed from what is there."""

from __future__ import annotations

import json
from collections.abc import Mapping

import tomli
from hypothesis import given
from hypothesis import strategies as st

from lockgate.project.expand import build_pipeline
from lockgate.project.manifest import Manifest, parse_manifest
from lockgate.project.proposal import propose
from lockgate.project.stage_table import StageDeclaration


def text_for(files: Mapping[str, str], name: str = "p") -> str:
    text = propose(list(files), lambda path: files[path].encode(), name)
    assert text is not None
    return text


def proposed(files: Mapping[str, str]) -> Manifest:
    return parse_manifest(text_for(files))


def named(files: Mapping[str, str], name: str) -> StageDeclaration:
    return next(stage for stage in proposed(files).stages if stage.name == name)


def test_a_dvc_project_needs_none() -> None:
    assert propose(["dvc.yaml", "a.py"], lambda path: b"", "p") is None


def test_an_empty_folder_gives_an_example_that_declares_nothing() -> None:
    manifest = proposed({})
    assert manifest.stages == ()
    text = text_for({})
    assert "# [stages.prepare]" in text
    example = "\n".join(
        line[2:] for line in text.splitlines() if line.startswith("# ") and ("=" in line or "[" in line)
    )
    assert tomli.loads(example.partition("[stages.prepare]")[2])


def test_numbers_in_names_order_the_stages() -> None:
    files = {"10_c.py": "f()", "2-b.py": "f()", "step1_a.py": "f()", "z.py": "f()"}
    assert [stage.name for stage in proposed(files).stages] == ["a", "b", "c", "z"]


def test_what_they_read_and_write_orders_them_and_ties_them() -> None:
    files = {
        "analyse.py": "pd.read_csv('clean.csv')\nplt.savefig('trend.png')",
        "clean.py": "pd.read_csv('data/raw.csv').to_csv('clean.csv')",
        "data/raw.csv": "",
    }
    clean, analyse = proposed(files).stages
    assert (clean.name, clean.needs, clean.makes) == ("clean", ("clean.py", "data/raw.csv"), ("clean.csv",))
    assert (analyse.needs, analyse.figures) == (("analyse.py", "clean.csv"), ("trend.png",))


def test_own_modules_are_needed_not_run() -> None:
    files = {
        "run.py": "from lib import f\nimport pkg.part\nf()",
        "lib.py": "import deep\ndef f(): return open('conf.txt')",
        "deep.py": "X = 1",
        "pkg/__init__.py": "",
        "pkg/part.py": "def g(): pass",
        "conf.txt": "",
    }
    (stage,) = proposed(files).stages
    assert stage.needs is not None
    assert set(stage.needs) == {"run.py", "lib.py", "deep.py", "pkg", "conf.txt"}


def test_a_module_that_sets_things_up_for_others_is_no_stage() -> None:
    files = {"style.py": "plt.rcParams.update(x)", "plot.py": "import style\nplt.savefig('f.png')"}
    (stage,) = proposed(files).stages
    assert (stage.name, stage.needs) == ("plot", ("plot.py", "style.py"))


def test_a_read_that_is_not_known_leaves_needs_out() -> None:
    assert named({"a.py": "open(sys.argv[1])"}, "a").needs is None


def test_paths_in_a_notebook_are_seen_from_its_folder() -> None:
    source = "%run x\nopen('../data/a.csv')\nplt.savefig('fig.png')"
    notebook = {
        "nbformat": 4,
        "metadata": {},
        "cells": [{"cell_type": "code", "source": source, "metadata": {}}],
    }
    stage = named({"notebooks/n.ipynb": json.dumps(notebook), "data/a.csv": ""}, "n")
    assert stage.notebook == "notebooks/n.ipynb"
    assert stage.needs == ("notebooks/n.ipynb", "data/a.csv")
    assert stage.figures == ("notebooks/fig.png",)


def test_a_path_has_one_maker() -> None:
    files = {"a.py": "open('o', 'w')", "b.py": "open('o', 'w')"}
    first, second = proposed(files).stages
    assert (first.makes, second.makes) == (("o",), ())
    assert "It writes o too" in text_for(files)


def test_what_is_read_but_is_not_there_is_told() -> None:
    files = {"a.py": "open('gone.csv')"}
    assert named(files, "a").needs == ("a.py",)
    assert "# It seems to read gone.csv, which is not in the project" in text_for(files)


def test_a_circle_is_cut() -> None:
    files = {"a.py": "open('x')\nopen('y', 'w')", "b.py": "open('y')\nopen('x', 'w')"}
    build_pipeline(proposed(files), {}, "p")


def test_other_tools_are_left_alone() -> None:
    assert "# Left alone: Makefile, Snakefile." in text_for({"Makefile": "", "Snakefile": "", "a.py": "f()"})


def test_the_requirements_found_are_named() -> None:
    assert "found in requirements.txt" in text_for({"requirements.txt": "", "a.py": "f()"})
    assert '# requirements = "requirements.txt"' in text_for({"a.py": "f()"})


def test_a_script_that_calls_the_others_is_no_stage() -> None:
    files = {"run.sh": "python a.py", "a.py": "f()", "fetch.sh": "curl x"}
    assert [stage.name for stage in proposed(files).stages] == ["a", "fetch"]


def test_tests_and_setup_are_no_stages() -> None:
    files = dict.fromkeys(
        ["setup.py", "test_a.py", "conftest.py", "tests/b.py", ".x.py", "docs/conf.py"], "f()"
    )
    assert proposed(files).stages == ()


def test_programs_follow_from_the_endings() -> None:
    files = {"a b.R": "f()", "c.sh": "ls", "{d}.py": "f()"}
    pipeline = build_pipeline(proposed(files), {}, "p")
    assert {stage.command for stage in pipeline.stages} == {"Rscript 'a b.R'", "bash c.sh", "python {d}.py"}


def test_two_of_one_name_are_told_apart() -> None:
    assert [stage.name for stage in proposed({"a.py": "f()", "a.sh": "ls"}).stages] == ["a", "a-2"]


def test_a_script_that_cannot_be_read_is_left_out() -> None:
    def read(path: str) -> bytes:
        raise FileNotFoundError(path)

    text = propose(["a.py"], read, "p")
    assert text is not None
    assert parse_manifest(text).stages == ()


def test_hundreds_of_scripts_are_not_all_proposed() -> None:
    files = {f"s{number:03}.py": "f()" for number in range(70)}
    assert len(proposed(files).stages) == 50
    assert "# 20 more scripts were found" in text_for(files)


names = st.sampled_from(
    [
        "a.py",
        "01_b.py",
        "2.py",
        "c.R",
        "d.sh",
        "e.ipynb",
        "scripts/f.py",
        "src/g.py",
        "data/x.csv",
        "o/y",
        "[z].py",
    ]
) | st.text(min_size=1, max_size=6).map(lambda name: f"{name}.py")
lines = st.sampled_from(
    [
        "open('data/x.csv')",
        "open('o/y', 'w')",
        "open('o', 'w')",
        "df.to_csv(f'o/{n}.csv')",
        "pd.read_csv(f'o/{n}.csv')",
        "open('o/y')",
        "open('a.py', 'w')",
        "open('lockgate.toml', 'w')",
        "open('{x}', 'w')",
        "open('[z]', 'w')",
        "open('[z].py')",
        "open('../x')",
        "open('/x', 'w')",
        "open('o/z.json', 'w')",
        "open('o/z.json')",
        "open(x)",
        "from a import *",
        "import g, scripts.f",
        "plt.savefig('o.png')",
        "open('.git/x', 'w')",
        "open('', 'w')",
        "open('é\"', 'w')",
        "def (",
    ]
)


@given(st.dictionaries(names, st.lists(lines, max_size=4).map("\n".join), max_size=6), st.text(max_size=5))
def test_any_folder_gives_a_sound_manifest_and_always_the_same(files: dict[str, str], name: str) -> None:
    text = text_for(files, name)
    manifest = parse_manifest(text)
    if manifest.stages:
        build_pipeline(manifest, {}, "p")
    assert text == text_for(dict(reversed(files.items())), name)
    assert max(map(len, text.splitlines())) < 400


@given(st.binary(), st.sampled_from(["a.py", "a.R", "a.sh", "a.ipynb"]))
def test_any_content_gives_a_sound_manifest(content: bytes, path: str) -> None:
    text = propose([path], lambda path: content, "p")
    assert text is not None
    parse_manifest(text)
