"""Parameters, matrices and the checks of the graph."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.project.expand import build_pipeline
from lockgate.project.manifest import Manifest, parse_manifest
from lockgate.project.pipeline import Pipeline, Stage
from lockgate.project.scalar import value_label
from lockgate.project.stage_table import StageDeclaration


def build(text: str, **overrides: str) -> Pipeline:
    return build_pipeline(
        parse_manifest(text), {key.replace("__", "."): overrides[key] for key in overrides}, "p"
    )


def only(text: str, **overrides: str) -> Stage:
    (stage,) = build(text, **overrides).stages
    return stage


def refused(text: str, **overrides: str) -> UserError:
    with pytest.raises(UserError) as caught:
        build(text, **overrides)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


def test_the_declared_name_goes_before_the_given_one() -> None:
    assert build('[stages.a]\nrun = "x"').project == "p"
    assert build('[project]\nname = "q"\n[stages.a]\nrun = "x"').project == "q"


def test_the_source_is_the_file_it_was_read_from() -> None:
    assert build('[stages.a]\nrun = "x"').source == "lockgate.toml"


def test_a_stage_has_the_parameters_it_uses_and_all_its_own() -> None:
    stage = only(
        '[params]\nused = 1\nunused = 2\nover = 3\n[stages.a]\nrun = "x {used} {over}"\n'
        'params = { over = "own", extra = true }'
    )
    assert stage.command == "x 1 own"
    assert stage.params == {"used": 1, "over": "own", "extra": True}


def test_a_spark_application_is_a_command_and_a_need() -> None:
    stage = only(
        '[params]\na = 1\nb = 2\n[stages.s]\nspark = "./jobs/count.py --a {a} \'x y\'"\nmakes = ["o/"]'
    )
    assert (stage.spark, stage.command) == ("jobs/count.py", "spark-submit jobs/count.py --a 1 'x y'")
    assert stage.params == {"a": 1}
    assert only('[stages.s]\nspark = "./-x.py"').command == "spark-submit ./-x.py"
    assert only('[params]\np = "v"\n[stages.s]\nspark = "{p}.jar"').spark == "v.jar"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[params]\np = "a b"\n[stages.s]\nspark = "{p}.py"', "names no application"),
        ('[params]\np = "--kill"\n[stages.s]\nspark = "{p}.py"', "names no application"),
        ('[stages.s]\nspark = "{p}.py"', "which is no parameter"),
        ('[stages.s]\nspark = "/job.py"', "job.py"),
        ('[stages.s]\nspark = "../job.py"', "job.py"),
    ],
)
def test_a_spark_application_lies_in_the_project(text: str, words: str) -> None:
    assert words in refused(text).message


def test_a_notebook_has_every_parameter_in_sight() -> None:
    stage = only('[params]\na = 1\nb = 2\n[stages.n]\nnotebook = "n.ipynb"\nparams = { b = 3, c = 4 }')
    assert stage.notebook == "n.ipynb"
    assert stage.command is None
    assert stage.params == {"a": 1, "b": 3, "c": 4}


def test_placeholders_are_filled_everywhere() -> None:
    stage = only(
        '[params]\np = "v"\n[stages.a]\nnotebook = "{p}.ipynb"\nneeds = ["n-{p}"]\nmakes = ["m-{p}"]\n'
        'metrics = ["e-{p}"]\nfigures = ["f-{p}"]'
    )
    assert (stage.notebook, stage.needs, stage.makes, stage.metrics, stage.figures) == (
        "v.ipynb",
        ("n-v",),
        ("m-v", "e-v", "f-v"),
        ("e-v",),
        ("f-v",),
    )


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("{p}", "1"),
        ("${p}", "${p}"),
        ("${HOME:-x} {p}", "${HOME:-x} 1"),
        ("{{p}}", "{p}"),
        ("{{print}} {p}{p}", "{print} 11"),
        ("awk '{print $1}'", "awk '{print $1}'"),
        ("{a,b} {} {1} { p }", "{a,b} {} {1} { p }"),
        ('{"p": {"q": 1}}', '{"p": {"q": 1}}'),
        ("$(x {p})", "$(x 1)"),
    ],
)
def test_braces(written: str, filled: str) -> None:
    assert only(f"[params]\np = 1\n[stages.a]\nrun = '''{written}'''").command == filled


@given(st.text(alphabet="{}$ p1,"), st.text(alphabet="ab {}$"))
def test_values_are_put_in_as_they_are_and_text_without_placeholders_is_kept(text: str, value: str) -> None:
    manifest = Manifest(params={"p": value}, stages=(StageDeclaration(name="a", command=f"x{text}"),))
    if re.search(r"\{p1+\}|\{pp|\{p1", text):
        return
    (stage,) = build_pipeline(manifest, {}, "p").stages
    expected = []
    at = 0
    while at < len(text):
        shell = re.match(r"\$\{[^{}]*\}", text[at:])
        if shell:
            expected.append(shell[0])
            at += len(shell[0])
        elif text.startswith("{{p}}", at):
            expected.append("{p}")
            at += 5
        elif text.startswith("{p}", at):
            expected.append(value)
            at += 3
        else:
            expected.append(text[at])
            at += 1
    assert stage.command == "x" + "".join(expected)


def test_values_look_as_in_toml() -> None:
    text = '[params]\na = true\nb = 0.5\nc = 1e3\nd = -4\ne = "é"\n[stages.x]\nrun = "{a} {b} {c} {d} {e}"'
    assert only(text).command == "true 0.5 1000.0 -4 é"


def test_a_matrix_is_multiplied_in_the_order_written() -> None:
    stages = build(
        '[stages.t]\nrun = "x {d} {m}"\nmakes = ["o-{d}-{m}"]\nmatrix = { d = [4, 8], m = ["rf", "a b"] }'
    ).stages
    assert [stage.name for stage in stages] == ["t@d=4,m=rf", "t@d=4,m=a%20b", "t@d=8,m=rf", "t@d=8,m=a%20b"]
    assert {stage.group for stage in stages} == {"t"}
    assert stages[3].params == {"d": 8, "m": "a b"}
    assert stages[3].command == "x 8 a b"
    assert stages[3].makes == ("o-8-a b",)


@given(st.lists(st.text() | st.integers() | st.floats(allow_nan=False), unique_by=str))
def test_labels_are_safe_and_tell_values_apart(values: list[str | int | float]) -> None:
    labels = [value_label(value) for value in values]
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"[\w.+\-%~]{0,40}", label) for label in labels)


def test_metrics_and_figures_are_made_too_each_once() -> None:
    stage = only(
        '[stages.a]\nrun = "x"\nmakes = ["b/", "m.json"]\n'
        'metrics = ["m.json", "b/in.json"]\nfigures = ["./f//"]'
    )
    assert stage.makes == ("b", "m.json", "f")
    assert stage.metrics == ("m.json", "b/in.json")
    assert stage.figures == ("f",)


def test_resources_and_backend_are_passed_on() -> None:
    stage = only('[stages.a]\nrun = "x"\ncpus = 3\ngpus = 1\nmemory = 5\nwalltime = 6\nbackend = "b"')
    assert (stage.resources.cpus, stage.resources.gpus) == (3, 1)
    assert (stage.resources.memory_bytes, stage.resources.walltime_s, stage.backend) == (5, 6, "b")


OVER = """\
[params]
wide = 1
name = "text"
flag = false
rate = 0.5
[stages.a]
run = "x {wide} {name} {flag} {rate} {own}"
params = { own = 3 }
[stages.b]
run = "y {wide} {own}"
params = { own = 4 }
matrix = { depth = [4, 8] }
"""


def commands(**overrides: str) -> list[str | None]:
    return [stage.command for stage in build(OVER, **overrides).stages]


def test_an_override_reaches_every_stage_or_one() -> None:
    assert commands(wide="7") == ["x 7 text false 0.5 3", "y 7 4", "y 7 4"]
    assert commands(own="9") == ["x 1 text false 0.5 9", "y 1 9", "y 1 9"]
    assert commands(a__own="9") == ["x 1 text false 0.5 9", "y 1 4", "y 1 4"]
    assert commands(b__wide="9") == ["x 1 text false 0.5 3", "y 9 4", "y 9 4"]
    assert commands(own="1", a__own="2") == ["x 1 text false 0.5 2", "y 1 1", "y 1 1"]


def test_an_override_keeps_the_type_that_was_declared() -> None:
    assert commands(name="5", flag="true", rate="2")[0] == "x 1 5 true 2.0 3"
    assert build(OVER, rate="2").stages[0].params["rate"] == 2.0
    assert build(OVER, name="5").stages[0].params["name"] == "5"


def test_an_override_narrows_a_matrix_to_one_value() -> None:
    assert [stage.name for stage in build(OVER, depth="16").stages] == ["a", "b@depth=16"]
    assert build(OVER, b__depth="16").stages[1].params["depth"] == 16


def test_values_of_several_types_take_the_first_that_fits() -> None:
    text = '[stages.a]\nrun = "x"\nmatrix = { v = [1, "auto"] }'
    assert only(text, v="3").params == {"v": 3}
    assert only(text, v="sqrt").params == {"v": "sqrt"}


@pytest.mark.parametrize(
    ("overrides", "code", "message", "hint"),
    [
        (
            {"b.depth": "1", "b.zzz": "1"},
            "parameter-unknown",
            "there is no parameter b.zzz",
            'Known here: "depth", "flag", "name", "own", "rate", "wide", "a.own", "b.depth", "b.own".',
        ),
        ({"dept": "1"}, "parameter-unknown", "there is no parameter dept", 'Did you mean "depth"?'),
        ({"b.dept": "1"}, "parameter-unknown", "there is no parameter b.dept", 'Did you mean "b.depth"?'),
        ({"a.depth": "1"}, "parameter-unknown", "there is no parameter a.depth", 'Did you mean "b.depth"?'),
        (
            {"wide": "x"},
            "parameter-invalid",
            'parameter wide is a whole number, "x" is not',
            "Give it a value such as 1.",
        ),
        (
            {"wide": "1.5"},
            "parameter-invalid",
            'parameter wide is a whole number, "1.5" is not',
            "Give it a value such as 1.",
        ),
        (
            {"flag": "yes"},
            "parameter-invalid",
            'parameter flag is true or false, "yes" is not',
            "Give it a value such as false.",
        ),
        (
            {"rate": "nan"},
            "parameter-invalid",
            'parameter rate is a number, "nan" is not',
            "Give it a value such as 0.5.",
        ),
    ],
)
def test_an_override_that_cannot_be_meant(
    overrides: dict[str, str], code: str, message: str, hint: str
) -> None:
    with pytest.raises(UserError) as caught:
        build_pipeline(parse_manifest(OVER), overrides, "p")
    assert (caught.value.code, caught.value.message, caught.value.hint) == (code, message, hint)


def test_an_override_of_nothing_says_that_there_is_nothing() -> None:
    assert refused('[stages.a]\nrun = "x"', z="1").hint == "lockgate.toml declares no parameters."


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        (
            "",
            "pipeline-empty",
            "lockgate.toml:1: no stage is declared",
            "Add one: [stages.NAME] with run = … and makes = [...]; `lockgate init` proposes some.",
        ),
        (
            '[params]\ndepth = 1\n[stages.a]\nrun = "x {dept}"',
            "parameter-unknown",
            "lockgate.toml:4: stage a: `run` uses {dept}, which is no parameter",
            'Did you mean "depth"? For a literal brace write {{dept}}.',
        ),
        (
            '[stages.a]\nrun = "x"\nneeds = [\n "b",\n "{c}"]',
            "parameter-unknown",
            "lockgate.toml:5: stage a: `needs` uses {c}, which is no parameter",
            "Declare it: params = { c = … }. For a literal brace write {{c}}.",
        ),
        (
            '[stages.a]\nrun = "x"\nmakes = ["ok", "../b"]',
            "path-outside",
            'lockgate.toml:3: stage a: "../b" leaves the project',
            "Use paths inside the project.",
        ),
        (
            '[stages.a]\nrun = "x"\nmakes = ["*.csv"]',
            "path-invalid",
            'lockgate.toml:3: stage a: "*.csv" is a pattern; what a stage makes is named path by path',
            "Name the file, or the folder the files are put in.",
        ),
        (
            '[stages.a]\nrun = "x"\nneeds = ["lockgate.lock"]\nmetrics = ["./lockgate.lock"]',
            "path-invalid",
            "lockgate.toml:4: stage a: lockgate.lock cannot be made by a stage",
            "Write to another file.",
        ),
        (
            '[stages.a]\nrun = "x"\nmakes = ["lockgate.toml"]',
            "path-invalid",
            "lockgate.toml:3: stage a: lockgate.toml cannot be made by a stage",
            "Write to another file.",
        ),
        (
            '[stages.a]\nnotebook = "/n.ipynb"',
            "path-outside",
            'lockgate.toml:2: stage a: "/n.ipynb" is not relative to the project',
            "Write the path as seen from the project's top folder.",
        ),
        (
            '[stages.a]\nrun = "x {p}"\nmakes = ["o"]\nmatrix = { p = [1, 2] }',
            "makes-twice",
            "lockgate.toml:3: stage a@p=2 makes o, but stage a@p=1 makes it too",
            "Put a matrix parameter in the path, as {p}.",
        ),
        (
            '[stages.a]\nrun = "x"\nmakes = ["o/p.csv"]\n[stages.b]\nrun = "x"\nfigures = ["o/"]',
            "makes-twice",
            "lockgate.toml:3: stage a makes o/p.csv, but stage b makes o/, which holds it, too",
            "Let one stage make it, or give each its own path.",
        ),
        (
            '[stages.a]\nrun = "x"\nmatrix = { p = [1, "1"] }',
            "matrix-duplicate",
            "lockgate.toml:3: stage a: its matrix names a@p=1 twice",
            "Remove the value that is there twice.",
        ),
        (
            '[stages.a]\nrun = "x"\nneeds = ["o"]\nmakes = ["o"]',
            "pipeline-circle",
            "lockgate.toml:3: stage a needs what it makes itself",
            "Take the path out of its needs, or write the outcome to another path.",
        ),
        (
            '[stages.a]\nrun = "x"\nneeds = ["q"]\nmakes = ["p"]\n'
            '[stages.b]\nrun = "x"\nneeds = ["p"]\nmakes = ["r"]\n'
            '[stages.c]\nrun = "x"\nneeds = ["r/s"]\nmakes = ["q"]',
            "pipeline-circle",
            "lockgate.toml:3: stages wait for each other: a → c → b → a (→: needs what the next one makes)",
            "Take out one of these needs.",
        ),
    ],
)
def test_a_pipeline_that_cannot_be_meant_is_told_with_its_line(
    text: str, code: str, message: str, hint: str
) -> None:
    error = refused(text)
    assert (error.code, error.message, error.hint) == (code, message, hint)


def test_a_matrix_beyond_all_bounds_is_refused_before_it_is_made() -> None:
    many = ", ".join(map(str, range(400)))
    error = refused(f'[stages.a]\nrun = "x"\nmatrix = {{ a = [{many}], b = [{many}], c = [{many}] }}')
    assert error.code == "matrix-too-large"
    assert "64,000,000" in error.message


def test_ten_thousand_stages_take_no_time_to_speak_of() -> None:
    stages = tuple(
        StageDeclaration(
            name=f"s{number}",
            command="python {p}.py",
            needs=(f"s{number}.py", f"build/{number - 1}.csv", f"data/{number}/*.csv"),
            makes=(f"build/{number}.csv",),
        )
        for number in range(10_000)
    )
    manifest = Manifest(params={"p": 1}, stages=stages)
    before = time.process_time()
    pipeline = build_pipeline(manifest, {}, "p")
    assert time.process_time() - before < 4, "ten times what it takes: something is quadratic"
    assert len(pipeline.stages) == 10_000


keys = st.sampled_from(["a", "b", "c/d", "c", "../e", "{p}", "{q}", "{{p}}", "*.x", "", "lockgate.toml"])


@given(
    st.lists(
        st.builds(
            StageDeclaration,
            name=st.sampled_from(["s", "t", "u"]),
            command=st.sampled_from(["x", "{p}", "{z}"]),
            needs=st.none() | st.lists(keys, max_size=2).map(tuple),
            makes=st.lists(keys, max_size=2).map(tuple),
            figures=st.lists(keys, max_size=1).map(tuple),
            matrix=st.sampled_from([{}, {"q": (1, 2)}, {"q": ("..", "x")}]),
        ),
        max_size=3,
        unique_by=lambda stage: stage.name,
    ),
    st.dictionaries(
        st.sampled_from(["p", "q", "s.q", "t.p", "."]), st.sampled_from(["1", "x", ""]), max_size=2
    ),
)
def test_any_manifest_is_a_sound_pipeline_or_refused_in_words(
    stages: list[StageDeclaration], overrides: dict[str, str]
) -> None:
    manifest = Manifest(params={"p": "v"}, stages=tuple(stages))
    try:
        pipeline = build_pipeline(manifest, overrides, "p")
    except UserError as error:
        assert error.hint
        return
    made = [path for stage in pipeline.stages for path in stage.makes]
    assert len(set(made)) == len(made)
    assert not any(other.startswith(f"{path}/") for path in made for other in made)
    for stage in pipeline.stages:
        assert set(stage.figures) <= {path for path in stage.figures if _is_made(path, stage.makes)}


def _is_made(path: str, makes: tuple[str, ...]) -> bool:
    return any(path == made or path.startswith(f"{made}/") for made in makes)
