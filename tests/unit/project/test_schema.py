"""The schema for editors and the parser say the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
import pytest
import tomli

from lockgate.errors import UserError
from lockgate.project import described as described_keys
from lockgate.project import manifest as keys
from lockgate.project.expand import build_pipeline
from lockgate.project.manifest import parse_manifest
from lockgate.project.schema import schema
from lockgate.project.stage_table import STAGE_KEYS
from lockgate.project.tool import KEYS as TOOL_KEYS

A = '[stages.a]\nrun = "x"\n'

GOOD = [
    A,
    A + "needs = []\nmakes = ['o']\nmetrics = ['m']\nfigures = ['f/']",
    A + "cpus = 1\ngpus = 0\nmemory = 1\nwalltime = 1\nbackend = 'b'",
    A + "memory = '1.5 GiB'\nwalltime = '1 d 2 h'",
    A + "memory = '4gb'\nwalltime = '90 seconds'",
    A + "params = { a = 1, b = 0.5, c = 'x', d = true }\nmatrix = { e = [1, 'x', false] }",
    '[stages.n]\nnotebook = "n.ipynb"',
    "[stages.s]\nspark = 'job.py'",
    "[stages.s]\nspark = '  jobs/größe.jar --in \"a b\" $HOME'",
    "[stages.s]\nspark = 'job-{x}.py {x}'\nparams = { x = 1 }",
    A + "[project]\nname = 'x.y-z_1'",
    A + "[runtime]\npython = '3.11'\nrequirements = 'r.txt'",
    A + "[runtime]\npython = '3.11.4'",
    A + "[data]\ngit_limit = 0\nresult_limit = '7 B'\nremote = 's3://x'",
    A + "[batch]\nbackend = 'slurm'\n[batch.slurm]\nanything = [1, { x = 2 }]\n[batch.local]",
    A + "[params]\na = 1\n'größe' = 'x'",
    A + "[tools.x]\ncommand = 'a --port={port}'",
    A + "[tools.y]\ncommand = ['a', '{port}']\ntitle = 'Y'\npath = '?a=b'\nicon = 'y.svg'",
]
GOOD += [
    A + "[checks.'data/*.csv']\nrows = { min = 0, max = 9 }\nunique = ['a', 'b']\nother_columns = false",
    A + "[checks.x]\nunique = [['a'], ['b', 'c']]\nseparator = ';'\nmissing = 'NA'\nengine = 'polars'"
    "\ncpus = 2\nmemory = '1 GB'",
    A + "[checks.x.columns]\na = { type = 'integer', min = 0, max = 1.5, drift = true }\nb = { drift = 0.1 }",
    A + "[checks.x.columns]\na = { type = 'date', min = '2024-01-01', max = '2025-01-01', nullable = true }",
    A + "[checks.x.columns]\na = { pattern = '[a-z]+', required = false, unique = true, values = ['a'] }",
    A + "[checks.x.columns]\na = { references = { file = 'y.csv', column = 'b' } }",
]
QUEUE = """\
[batch.q]
submit = "qsub {script}"
submitted = '(?P<id>\\d+)'
status = "qstat {ids}"
line = '(?P<id>\\d+) (?P<state>\\w)'
running = ["R"]
cancel = "qdel {ids}"
"""
GOOD += [
    A + QUEUE,
    A + QUEUE + "pending = ['Q']\nended = []\ncauses = { T = 'walltime' }\ntimeout = '5 s'\ninterval = 2",
    A + QUEUE + "skip = 'Job'\ngone = 'x'\ndown = 'y'\nrefused = 'z'",
    A + QUEUE + "separator = ','\nenvironment = { A = '' }",
    A + QUEUE + "[batch.q.array]\nsubmit = 'qsub -t {first}-{last} {script}'\nvariable = 'N'\nfirst = 0",
]
BAD = [
    "",
    A + "[tools]\nx = 1",
    A + "[tools.x]\ntitle = 'x'",
    A + "[tools.x]\ncommand = 'a'",
    A + "[tools.x]\ncommand = ['a', 1, '{port}']",
    A + "[tools.x]\ncommand = 'a {port}'\nshell = true",
    A + "[tools.'a b']\ncommand = 'a {port}'",
    A + "[checks]\nx = 1",
    A + "[checks.x]\ncolumn = 1",
    A + "[checks.x]\nrows = 5",
    A + "[checks.x]\nrows = { least = 5 }",
    A + "[checks.x]\nrows = { min = -1 }",
    A + "[checks.x]\nunique = 5",
    A + "[checks.x]\nseparator = 'ab'",
    A + "[checks.x]\nengine = 'pandas'",
    A + "[checks.x]\nmissing = [1]",
    A + "[checks.x]\nother_columns = 'no'",
    A + "[checks.x]\ncpus = 0",
    A + "[checks.x.columns]\na = 5",
    A + "[checks.x.columns]\na = { type = 'float' }",
    A + "[checks.x.columns]\na = { least = 5 }",
    A + "[checks.x.columns]\na = { nullable = 1 }",
    A + "[checks.x.columns]\na = { values = [] }",
    A + "[checks.x.columns]\na = { pattern = 5 }",
    A + "[checks.x.columns]\na = { drift = 0 }",
    A + "[checks.x.columns]\na = { references = 'y.csv' }",
    A + "[checks.x.columns]\na = { references = { file = 'y.csv' } }",
    "stages = {}",
    "stages = 1",
    "[stages]\na = 1",
    A + "x = 1",
    "[other]\n" + A,
    "other = 1\n" + A,
    A + "[project]\nname = ''",
    A + "[project]\nname = 'a/b'",
    A + "[project]\nname = 1",
    A + "[project]\nx = 1",
    A + "[runtime]\npython = 3.11",
    A + "[runtime]\npython = '2.7'",
    A + "[runtime]\nrequirements = ' '",
    A + "[runtime]\nlock = 'x'",
    A + "[data]\ngit_limit = -1",
    A + "[data]\ngit_limit = '100'",
    A + "[data]\nresult_limit = '1 iB'",
    A + "[data]\nremote = ''",
    A + "[data]\nx = 1",
    A + "[batch]\nbackend = ''",
    A + "[batch]\nx = 1",
    A + "[batch.'a b']",
    A + "[params]\n'a b' = 1",
    A + "[params]\na = [1]",
    "[stages.a]",
    "[stages.a]\nrun = ''",
    "[stages.a]\nrun = 1",
    "[stages.a]\nnotebook = 'n.py'",
    "[stages.a]\nspark = 'job.txt'",
    "[stages.a]\nspark = '--master x job.py'",
    "[stages.a]\nspark = 'a b.py'",
    "[stages.a]\nspark = '$(x).py'",
    "[stages.a]\nspark = 'job.pyc'",
    "[stages.a]\nspark = ['job.py']",
    "[stages.a]\nspark = 'job.py'\nrun = 'x'",
    "[stages.a]\nspark = 'job.py'\nnotebook = 'n.ipynb'",
    "[stages.a]\nrun = 'x'\nnotebook = 'n.ipynb'",
    "[stages.'a b']\nrun = 'x'",
    "[stages.'-a']\nrun = 'x'",
    f"[stages.{'a' * 101}]\nrun = 'x'",
    A + "needs = 'a'",
    A + "needs = [1]",
    A + "needs = ['']",
    A + "makes = {}",
    A + "metrics = [[]]",
    A + "figures = true",
    A + "params = 1",
    A + "params = { '1' = 1 }",
    A + "matrix = { a = 1 }",
    A + "matrix = { a = [] }",
    A + "matrix = { a = [[1]] }",
    A + "cpus = 0",
    A + "cpus = '1'",
    A + "cpus = true",
    A + "gpus = -1",
    A + "memory = 'x'",
    A + "memory = true",
    A + "walltime = 0",
    A + "walltime = '1:30'",
    A + "backend = 3",
]
BAD += [A + QUEUE.replace(f"{key} = ", f"x{key} = ") for key in ("status", "line", "running", "cancel")]
BAD += [
    A + QUEUE + line
    for line in (
        "x = 1",
        "pending = 'Q'",
        "causes = { T = 'late' }",
        "find = ''",
        "skip = 1",
        "separator = ''",
        "environment = { 'a b' = '' }",
        "environment = { A = 1 }",
        "timeout = 0",
        "interval = 'soon'",
        "array = 1",
        "array = { submit = 'q {script} {count}' }",
        "array = { submit = 'q {script} {count}', variable = 'a b' }",
        "array = { submit = 'q {script} {count}', variable = 'N', first = -1 }",
        "array = { submit = 'q {script} {count}', variable = 'N', limit = 0 }",
        "array = { submit = 'q {script} {count}', variable = 'N', x = 0 }",
    )
]


def complaint(text: str) -> str | None:
    try:
        build_pipeline(parse_manifest(text), {}, "p")
    except UserError as error:
        return str(error)
    return None


@cache
def validator() -> Any:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


@pytest.mark.parametrize("text", GOOD)
def test_what_is_right_is_right_for_both(text: str) -> None:
    assert complaint(text) is None
    assert [error.message for error in validator().iter_errors(tomli.loads(text))] == []


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_is_wrong_for_both(text: str) -> None:
    assert complaint(text) is not None
    assert not validator().is_valid(tomli.loads(text))


def test_both_know_the_same_keys() -> None:
    described: Any = schema()
    tables = described["properties"]
    assert set(tables) == set(keys.TOP_KEYS)
    assert set(tables["project"]["properties"]) == set(keys.PROJECT_KEYS)
    assert set(tables["runtime"]["properties"]) == set(keys.RUNTIME_KEYS)
    assert set(tables["data"]["properties"]) == set(keys.DATA_KEYS)
    assert set(tables["verify"]["additionalProperties"]["properties"]) == set(keys.VERIFY_KEYS)
    assert set(tables["jupyter"]["properties"]) == set(keys.JUPYTER_KEYS)
    assert set(tables["batch"]["properties"]) == set(keys.BATCH_KEYS)
    assert set(tables["tools"]["additionalProperties"]["properties"]) == set(TOOL_KEYS)
    assert set(described["$defs"]["stage"]["properties"]) == set(STAGE_KEYS)
    assert set(described["$defs"]["describedSystem"]["properties"]) == set(described_keys.KEYS)
    array = described["$defs"]["describedSystem"]["properties"]["array"]
    assert set(array["properties"]) == set(described_keys.ARRAY_KEYS)


def test_every_key_is_described() -> None:
    described: Any = schema()
    tables = [described, *described["properties"].values(), described["$defs"]["stage"]]
    for table in tables:
        assert table["description"]
        for name, key in table.get("properties", {}).items():
            assert key.get("description"), name


def test_it_is_named_without_an_address() -> None:
    assert schema()["$id"] == "urn:lockgate:manifest:1"
