"""lockgate.toml: what is understood, and what is said about what is not."""

from __future__ import annotations

import pytest
import tomli
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.project.manifest import Manifest, parse_manifest
from lockgate.project.pipeline import Batch, Data, Runtime
from lockgate.project.stage_table import StageDeclaration

FULL = """\
[project]
name = "flights"

[runtime]
python = "3.11"
requirements = "requirements.txt"

[data]
git_limit = "100 MB"
result_limit = "1 MiB"
remote = "s3://bucket/prefix"

[batch]
backend = "slurm"
[batch.slurm]
partition = "cpu"

[params]
seed = 1

[stages.prepare]
run = "python prepare.py"
needs = ["prepare.py", "data/flights.csv"]
makes = ["build/flights.parquet"]
cpus = 2
gpus = 1
memory = "4 GB"
walltime = "1 d 2 h"
backend = "local"

[stages.train]
run = "python train.py --depth {depth}"
metrics = ["build/metrics-{depth}.json"]
params = { rate = 0.5, model = "rf", fast = true }
matrix = { depth = [4, 8] }

[stages.report]
notebook = "report.ipynb"
figures = ["figures/"]
"""


def refused(text: str) -> UserError:
    with pytest.raises(UserError) as caught:
        parse_manifest(text)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


def test_every_key_is_read() -> None:
    manifest = parse_manifest(FULL)
    assert manifest.project == "flights"
    assert manifest.runtime == Runtime(kind="requirements", path="requirements.txt", python="3.11")
    assert manifest.data == Data(100_000_000, 1_048_576, "s3://bucket/prefix")
    assert manifest.batch == Batch("slurm", {"slurm": {"partition": "cpu"}})
    assert manifest.params == {"seed": 1}
    prepare, train, report = manifest.stages
    assert prepare == StageDeclaration(
        name="prepare",
        command="python prepare.py",
        needs=("prepare.py", "data/flights.csv"),
        makes=("build/flights.parquet",),
        cpus=2,
        gpus=1,
        memory_bytes=4_000_000_000,
        walltime_s=93_600,
        backend="local",
    )
    assert train.params == {"rate": 0.5, "model": "rf", "fast": True}
    assert train.matrix == {"depth": (4, 8)}
    assert train.needs is None
    assert report.notebook == "report.ipynb"
    assert report.figures == ("figures/",)


def test_an_empty_file_declares_nothing() -> None:
    assert parse_manifest("") == Manifest()


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_manifest('\ufeff[project]\nname = "a"').project == "a"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("uv.lock", "uv.lock"),
        ("sub/pylock.toml", "pylock"),
        ("pylock.gpu.toml", "pylock"),
        ("dev.txt", "requirements"),
    ],
)
def test_the_name_of_the_requirements_tells_their_kind(path: str, kind: str) -> None:
    assert parse_manifest(f'[runtime]\nrequirements = "{path}"').runtime == Runtime(kind=kind, path=path)  # type: ignore[arg-type]


def test_a_python_version_alone_leaves_the_requirements_to_convention() -> None:
    assert parse_manifest('[runtime]\npython = "3.12"').runtime == Runtime(python="3.12")


STAGE = '[stages.a]\nrun = "x"\n'


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        (
            '[stages.train]\nrun = "x"\n\nneed = ["a"]\n',
            "manifest-unknown-key",
            'lockgate.toml:4: stage train: unknown key "need"',
            'Did you mean "needs"?',
        ),
        (
            "[stage.a]\n",
            "manifest-unknown-key",
            'lockgate.toml:1: unknown key "stage"',
            'Did you mean "stages"?',
        ),
        (
            "[project]\nzzz = 1\n",
            "manifest-unknown-key",
            'lockgate.toml:2: [project]: unknown key "zzz"',
            'Known here: "name", "passport", "observe", "undeclared".',
        ),
        (
            '[batch]\npartition = "cpu"\n',
            "manifest-unknown-key",
            'lockgate.toml:2: [batch]: unknown key "partition"',
            'Known here: "backend".',
        ),
        (
            "a = \n",
            "manifest-syntax",
            "lockgate.toml:1: invalid value",
            "Correct this line; see https://toml.io for how TOML is written.",
        ),
        (
            STAGE + '[stages.a]\nrun = "y"\n',
            "manifest-syntax",
            "lockgate.toml:3: cannot declare ('stages', 'a') twice",
            "Correct this line; see https://toml.io for how TOML is written.",
        ),
        (
            "stages = 3\n",
            "manifest-invalid",
            "lockgate.toml:1: stages is 3, not a table",
            "Write it as [stages] with keys below.",
        ),
        (
            "[stages]\na = 3\n",
            "manifest-invalid",
            "lockgate.toml:2: [stages]: a is 3, not a table",
            "Write it as [stages.a] with keys below.",
        ),
        (
            '[stages."a b"]\nrun = "x"\n',
            "manifest-invalid",
            'lockgate.toml:1: stage "a b" cannot be a name',
            'Use letters a to z, digits, "-", "_" and ".", at most 100 of them, '
            'not starting with "-" or ".".',
        ),
        (
            '[stages.a]\nrun = "x"\nnotebook = "a.ipynb"\n',
            "manifest-invalid",
            "lockgate.toml:1: stage a has both `run` and `notebook`",
            "Keep one of them.",
        ),
        (
            "[stages.a]\ncpus = 1\n",
            "manifest-invalid",
            "lockgate.toml:1: stage a has neither `run` nor `notebook` nor `spark`",
            'Add run = "…" (a command), notebook = "….ipynb" or spark = "….py".',
        ),
        (
            '[stages.a]\nrun = " "\n',
            "manifest-invalid",
            "lockgate.toml:2: stage a: run is empty",
            "Fill it in, or remove the line.",
        ),
        (
            '[stages.a]\nrun = "x\\u0000"\n',
            "manifest-invalid",
            "lockgate.toml:2: stage a: run has a NUL character in it",
            "Remove the character.",
        ),
        (
            '[stages.a]\nrun = ["x"]\n',
            "manifest-invalid",
            "lockgate.toml:2: stage a: run is a list, not text in quotes",
            "Write text in quotes.",
        ),
        (
            '[stages.a]\nnotebook = "a.py"\n',
            "manifest-invalid",
            'lockgate.toml:2: stage a: notebook is "a.py", not a notebook',
            "Name a file ending in .ipynb, or use `run` for a command.",
        ),
        (
            STAGE + 'needs = "a.py"\n',
            "manifest-invalid",
            'lockgate.toml:3: stage a: needs is "a.py", not a list of paths',
            'Write needs = ["a.py"].',
        ),
        (
            STAGE + 'needs = [\n  "a.py",\n  3,\n]\n',
            "manifest-invalid",
            "lockgate.toml:5: stage a: needs holds 3, not a path in quotes",
            "Write every path in quotes.",
        ),
        (
            STAGE + "cpus = 0\n",
            "manifest-invalid",
            "lockgate.toml:3: stage a: cpus is 0, not a whole number from 1 to 1000000",
            "Write a whole number from 1 to 1000000.",
        ),
        (
            STAGE + "gpus = true\n",
            "manifest-invalid",
            "lockgate.toml:3: stage a: gpus is true, not a whole number from 0 to 1000000",
            "Write a whole number from 0 to 1000000.",
        ),
        (
            STAGE + 'memory = "4 G"\n',
            "manifest-invalid",
            'lockgate.toml:3: stage a: memory is "4 G", not a size',
            'Write it as "4 GB", "512 MiB" or a number of bytes.',
        ),
        (
            STAGE + 'walltime = "1:30"\n',
            "manifest-invalid",
            'lockgate.toml:3: stage a: walltime is "1:30", not a duration',
            'Write it as "10 min", "2 h", "1 d 2 h" or a number of seconds.',
        ),
        (
            STAGE + "params = { d = 2026-01-01 }\n",
            "manifest-invalid",
            "lockgate.toml:3: stage a: params.d is 2026-01-01, "
            "not text, a finite number of at most 64 bits, true or false",
            "Put a date or a larger number in quotes; give a list to `matrix`.",
        ),
        (
            "[params]\nx = nan\n",
            "manifest-invalid",
            "lockgate.toml:2: [params]: params.x is nan, "
            "not text, a finite number of at most 64 bits, true or false",
            "Put a date or a larger number in quotes; give a list to `matrix`.",
        ),
        (
            "[params]\nx = 9223372036854775808\n",
            "manifest-invalid",
            "lockgate.toml:2: [params]: params.x is 9223372036854775808, "
            "not text, a finite number of at most 64 bits, true or false",
            "Put a date or a larger number in quotes; give a list to `matrix`.",
        ),
        (
            '[params]\n"a b" = 1\n',
            "manifest-invalid",
            'lockgate.toml:2: [params]: "a b" cannot be the name of a parameter',
            "Use letters, digits and _, not starting with a digit.",
        ),
        (
            STAGE + "matrix = { d = [] }\n",
            "manifest-invalid",
            "lockgate.toml:3: stage a: d is an empty list, not a list of values",
            "Write d = [1, 2, 3].",
        ),
        (
            STAGE + "params = { d = 1 }\nmatrix = { d = [1] }\n",
            "manifest-invalid",
            "lockgate.toml:4: stage a: d is in `params` and in `matrix`",
            "Keep it in one of them.",
        ),
        (
            '[runtime]\nrequirements = "../r.txt"\n',
            "path-outside",
            'lockgate.toml:2: [runtime]: requirements: "../r.txt" leaves the project',
            "Use paths inside the project.",
        ),
        (
            '[runtime]\npython = "2.7"\n',
            "manifest-invalid",
            'lockgate.toml:2: [runtime]: python is "2.7", not a version of Python',
            'Write it as "3.11".',
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, code: str, message: str, hint: str) -> None:
    error = refused(text)
    assert (error.code, error.message, error.hint) == (code, message, hint)


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    assert refused("#" * 16_000_001).code == "manifest-too-large"


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 10_000, "a = 9999-99-99"])
def test_a_value_out_of_bounds_is_a_syntax_error(text: str) -> None:
    assert refused(text).code == "manifest-syntax"


toml_text = st.lists(
    st.sampled_from(
        [
            *"[]{}=,.\"'\n #\\",
            "stages",
            "a",
            "run",
            "needs",
            "params",
            "matrix",
            "1",
            "nan",
            "batch",
            "x",
            "\0",
        ]
    )
).map("".join)


@given(st.text() | toml_text)
@example("[[stages]]")
@example("[stages]\na = [1]")
@example("\ud800")
@example('"" = 1')
@example('[stages.""]')
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        parse_manifest(text)
    except UserError as error:
        assert error.message.startswith("lockgate.toml:")
        assert error.code.startswith(("manifest-", "path-"))


values: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["4 GB", "2 h", "a.ipynb", "a/b", "{x}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "run", "needs", "params", "matrix", "cpus"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def written(value: object) -> str:
    """Write a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return (
            '"' + "".join(f"\\U{ord(each):08X}" for each in value if not 0xD800 <= ord(each) < 0xE000) + '"'
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)} = {written(each)}" for key, each in value.items()) + "}"
    return "0" if value is None else str(value)


@given(
    st.dictionaries(
        st.sampled_from(["project", "runtime", "data", "batch", "params", "stages"]),
        st.dictionaries(
            st.sampled_from(["name", "python", "requirements", "git_limit", "remote", "backend", "a"]), values
        ),
    )
)
def test_any_document_is_read_or_refused_in_words(document: dict[str, object]) -> None:
    text = "\n".join(f"{key} = {written(value)}" for key, value in document.items())
    tomli.loads(text)
    try:
        parse_manifest(text)
    except UserError as error:
        assert error.code in ("manifest-invalid", "manifest-unknown-key", "path-invalid", "path-outside")
