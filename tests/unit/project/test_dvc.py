"""dvc.yaml as a pipeline."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.project.dvc import parse_dvc, variable_files
from lockgate.project.expand import build_pipeline
from lockgate.project.pipeline import Stage


def stages(text: str, params: Mapping[str, str] | None = None) -> tuple[Stage, ...]:
    return build_pipeline(parse_dvc(text, params or {}), {}, "p").stages


def only(text: str, params: Mapping[str, str] | None = None) -> Stage:
    (stage,) = stages(text, params)
    return stage


def test_a_plain_stage() -> None:
    stage = only(
        """
stages:
  train:
    desc: trains
    cmd: python train.py {x} \\${HOME%%/*}
    deps: [train.py, ./data//raw.csv, sub/]
    outs:
      - model.pkl
      - cache.bin: {cache: false, push: false}
    metrics:
      - metrics.json:
          cache: false
    plots:
      - roc.csv: {x: fpr, y: tpr}
      - shap.png
    meta: {owner: someone}
"""
    )
    assert stage.command == "python train.py {x} ${HOME%%/*}"
    assert stage.needs == ("train.py", "data/raw.csv", "sub")
    assert stage.makes == ("model.pkl", "cache.bin", "metrics.json", "roc.csv", "shap.png")
    assert stage.metrics == ("metrics.json",)
    assert stage.figures == ("roc.csv", "shap.png")


def test_the_source_is_dvc_yaml() -> None:
    assert build_pipeline(parse_dvc("stages: {a: {cmd: x}}", {}), {}, "p").source == "dvc.yaml"


def test_without_deps_it_is_given_the_whole_repository() -> None:
    assert only("stages: {a: {cmd: x}}").needs is None
    assert only("stages: {a: {cmd: x, deps: []}}").needs == ()


def test_tracked_parameters() -> None:
    stage = only(
        "stages: {a: {cmd: x, wdir: sub, params: [lr, train.epochs, ../other.toml: [a.b], whole.json: ]}}"
    )
    assert stage.params_files == {
        "sub/params.yaml": ("lr", "train.epochs"),
        "other.toml": ("a.b",),
        "sub/whole.json": (),
    }


def test_names_with_marks_in_them_are_no_patterns() -> None:
    (first, second) = stages(
        "stages: {a: {cmd: x, deps: ['a[1].csv']}, b: {cmd: y, deps: [], outs: [a1.csv]}}"
    )
    assert first.needs == ("a[[]1].csv",)
    assert second.makes == ("a1.csv",)


PARAMS = (
    "lr: 1e-3\non: off\nname: a b\n"
    + "train: {epochs: 3, fast: true, slow: false, layers: [1, 2], in: {x: p q}}\n"
)


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("x ${lr}", "x 0.001"),
        ("x ${on}", "x off"),
        ("x ${name}", "x a b"),
        ("x ${ train.epochs }", "x 3"),
        ("x ${train.layers[1]} ${train.layers.0}", "x 2 1"),
        ("x ${train.fast}", "x true"),
        ("x ${train}", "x --epochs 3 --fast --layers 1 2 --in.x 'p q'"),
        (r"x \${HOME} $HOME {lr}", "x ${HOME} $HOME {lr}"),
    ],
)
def test_values_come_from_params_yaml(written: str, filled: str) -> None:
    assert only(f"stages: {{a: {{cmd: '{written}'}}}}", {"params.yaml": PARAMS}).command == filled


def test_vars_are_merged_from_files_and_tables() -> None:
    text = """
vars:
  - other.toml
  - some.json:a,b
  - m: {y: 2}
stages:
  s:
    wdir: w
    vars: [local.yaml]
    cmd: x ${m.x} ${m.y} ${t} ${a} ${here}
"""
    params = {
        "params.yaml": "m: {x: 1}",
        "other.toml": "t = 't'",
        "some.json": '{"a": 5, "b": 6, "t": 7}',
        "w/local.yaml": "here: h",
    }
    assert variable_files(text) == ("params.yaml", "other.toml", "some.json", "w/local.yaml")
    assert only(text, params).command == "mkdir -p w && cd w || exit\nx 1 2 t 5 h"


def test_foreach_over_a_list_and_a_table() -> None:
    found = stages(
        """
stages:
  a: {foreach: [x, 2, x], do: {cmd: "a ${item}", outs: ["a-${item}"]}}
  b: {foreach: "${m}", do: {cmd: "b ${key} ${item.d}", outs: ["b-${key}"]}}
  c: {foreach: [{d: 1}, {d: [2]}], do: {cmd: c}}
""",
        {"params.yaml": "m: {rf: {d: 4}, gb: {d: 5}}"},
    )
    assert [(stage.name, stage.group, stage.command) for stage in found] == [
        ("a@x", "a", "a x"),
        ("a@2", "a", "a 2"),
        ("b@rf", "b", "b rf 4"),
        ("b@gb", "b", "b gb 5"),
        ("c@0", "c", "c"),
        ("c@1", "c", "c"),
    ]
    assert [stage.params for stage in found] == [
        {"item": "x"},
        {"item": 2},
        {"d": 4},
        {"d": 5},
        {"d": 1},
        {},
    ]


def test_matrix() -> None:
    found = stages(
        """
stages:
  t:
    matrix: {d: [4, 8], m: ["${first}", {n: 1}]}
    cmd: t ${item.d} ${key}
    outs: ["o-${key}"]
""",
        {"params.yaml": "first: rf"},
    )
    assert [stage.name for stage in found] == ["t@4-rf", "t@4-m1", "t@8-rf", "t@8-m1"]
    assert found[1].command == "t 4 4-m1"
    assert found[0].params == {"d": 4, "m": "rf"}


def test_frozen_stages_are_left_out() -> None:
    assert [stage.name for stage in stages("stages: {a: {cmd: x, frozen: true}, b: {cmd: y}}")] == ["b"]


def test_metrics_and_plots_at_the_top_mark_what_is_made() -> None:
    stage = only(
        "stages: {a: {cmd: x, outs: [m.json, p.csv, o]}}\n"
        "metrics: [m.json, elsewhere.json]\nplots: [p.csv: {x: a}]"
    )
    assert (stage.metrics, stage.figures) == (("m.json",), ("p.csv",))


def run(command: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=30
    )
    return done.returncode, done.stdout


def test_commands_run_one_after_the_other_until_one_fails(tmp_path: Path) -> None:
    listed = only(
        'stages: {a: {cmd: ["cd / # away", "false; pwd", "exit 3", "echo no"], wdir: "a b"}}'
    ).command
    assert listed is not None
    code, output = run(listed, tmp_path)
    assert (code, output) == (3, f"{tmp_path}/a b\n")
    lines = only("stages:\n  a:\n    cmd: |\n      false\n      echo no\n").command
    assert lines is not None
    assert run(lines, tmp_path) == (1, "")


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("stages: [", "manifest-syntax", "dvc.yaml:1: did not find expected node content"),
        ("a: 1\na: 2", "manifest-syntax", 'dvc.yaml:2: "a" is there twice'),
        ("*a", "manifest-syntax", "dvc.yaml:1: *a names nothing above it"),
        ("a: 1\n---\nb: 1", "manifest-syntax", "dvc.yaml:2: a second document begins here"),
        ("x: " + "[" * 5000, "manifest-syntax", "dvc.yaml:1: lists or tables lie too deep in each other"),
        ("- a", "manifest-invalid", "dvc.yaml:1: the file is not a table"),
        ("stage: {}", "manifest-unknown-key", 'dvc.yaml:1: unknown key "stage"'),
        (
            "stages:\n  a:\n    cmd: x\n    dep: [b]",
            "manifest-unknown-key",
            'dvc.yaml:4: stage a: unknown key "dep"',
        ),
        (
            "stages:\n  a:\n    cmd: x\n    outs:\n    - b:\n        persist: true",
            "dvc-unsupported",
            "dvc.yaml:6: stage a: b: `persist` is not supported",
        ),
        (
            "stages:\n  a:\n    cmd: x\n    always_changed: true",
            "dvc-unsupported",
            "dvc.yaml:4: stage a: `always_changed` is not supported",
        ),
        (
            "stages:\n  a:\n    cmd: x\n    deps:\n    - ok\n    - https://example.org/x",
            "dvc-unsupported",
            "dvc.yaml:6: stage a: https://example.org/x is not in the project",
        ),
        (
            "stages:\n  a:\n    cmd: x\n    params: [config.py: [a]]",
            "dvc-unsupported",
            "dvc.yaml:4: stage a: config.py: parameters in a Python file are not supported",
        ),
        ("stages: {a: {outs: [b]}}", "manifest-invalid", "dvc.yaml:1: stage a: has no `cmd`"),
        ("stages: {a: {cmd: []}}", "manifest-invalid", "dvc.yaml:1: stage a: `cmd` is empty"),
        (
            "stages:\n  a:\n    cmd: x ${b.c}",
            "manifest-invalid",
            "dvc.yaml:3: stage a: ${b.c} names nothing in params.yaml or vars",
        ),
        ("vars: [no.yaml]", "manifest-invalid", "dvc.yaml:1: vars: no.yaml is not in the project"),
        ("vars:\n- a: 1\n- a: 2", "manifest-invalid", 'dvc.yaml:3: vars: "a" is defined twice'),
        ("stages: {a/b: {cmd: x}}", "manifest-invalid", 'dvc.yaml:1: stage a/b: "a/b" cannot be a name'),
        (
            "stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, outs: [o]}",
            "makes-twice",
            "dvc.yaml:3: stage b makes o, but stage a makes it too",
        ),
        (
            "stages:\n  a: {cmd: x, deps: [../o]}",
            "path-outside",
            'dvc.yaml:2: stage a: "../o" leaves the project',
        ),
        (
            "stages:\n  a: {cmd: x, outs: [/tmp/o]}",
            "path-outside",
            'dvc.yaml:2: stage a: "/tmp/o" is not relative to the project',
        ),
        ("stages: {}", "pipeline-empty", "dvc.yaml:1: no stage is declared"),
        ("#" * 16_000_001, "manifest-too-large", "dvc.yaml:1: the file is 16,000,001 characters long"),
        (
            f"stages: {{a: {{matrix: {{x: {list(range(400))}, y: {list(range(400))}}}, cmd: x}}}}",
            "matrix-too-large",
            "dvc.yaml:1: stage a: its matrix makes more than 100,000 stages",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, code: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        stages(text)
    assert (caught.value.code, caught.value.message) == (code, message)
    assert caught.value.hint


def test_a_mistake_in_params_yaml_names_that_file() -> None:
    with pytest.raises(UserError) as caught:
        stages("stages: {a: {cmd: x}}", {"params.yaml": "a: 1\nb: ["})
    assert caught.value.message.startswith("params.yaml:2: ")


def test_aliases_that_grow_without_bounds_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 30)]
    with pytest.raises(UserError) as caught:
        parse_dvc("\n".join(lines), {})
    assert "aliases counted" in caught.value.message


def test_anchors_and_merges_are_understood() -> None:
    (first, second) = stages("stages:\n  a: &base {cmd: x, deps: [i]}\n  b: {<<: *base, cmd: y, outs: [o]}\n")
    assert (first.command, second.command, second.needs) == ("x", "y", ("i",))


pieces = st.sampled_from(
    [
        *"{}[]:,-&*!|>'\"#\n \t$",
        "stages",
        "a",
        "cmd",
        "deps",
        "foreach",
        "do",
        "vars",
        "matrix",
        "${a}",
        "<<",
        "\0",
    ]
)
bodies = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 3)
    | st.sampled_from(["a", "${a}", "${item}", "../x", "x.py", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "cmd",
                    "deps",
                    "outs",
                    "params",
                    "vars",
                    "wdir",
                    "foreach",
                    "do",
                    "matrix",
                    "plots",
                    "a",
                    "frozen",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.text() | st.lists(pieces).map("".join), st.text(alphabet="a: 1[]\n"))
@example("&a [*a]", "")
@example("!!python/object/apply:os.system [x]", "")
@example("\ud800", "")
@example("a: 99999999999999999999999999", "")
def test_any_text_is_read_or_refused_in_words(text: str, params: str) -> None:
    try:
        stages(text, {"params.yaml": params})
    except UserError as error:
        assert error.hint
        assert ".yaml:" in error.message


@given(
    st.dictionaries(
        st.sampled_from(["stages", "vars", "plots", "metrics"]),
        bodies | st.dictionaries(st.sampled_from(["a", "b"]), bodies),
    )
)
def test_any_document_is_read_or_refused_in_words(document: dict[str, object]) -> None:
    import json

    text = json.dumps(document)
    for read in (lambda: stages(text, {"params.yaml": "a: [1, x]"}), lambda: variable_files(text)):
        try:
            read()
        except UserError as error:
            assert error.hint
