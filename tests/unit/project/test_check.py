"""`[checks]`: what is written, what it means, what cannot be meant."""

from __future__ import annotations

import pytest

from lockgate.errors import UserError
from lockgate.project.check import rules_flat
from lockgate.project.check_text import check_text, with_check
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import Check, ColumnCheck, Reference, Resources

STAGE = '[stages.a]\nrun = "x"\n'


def read(text: str) -> Check:
    (check,) = parse_manifest(f"{STAGE}[checks.'x.csv']\n{text}").checks
    return check


def column(text: str) -> ColumnCheck:
    return read(f"columns = {{ c = {{ {text} }} }}").columns["c"]


def test_a_table_is_read_with_all_its_keys() -> None:
    said = """\
rows = { min = 2, max = 3 }
unique = ["a", "b"]
other_columns = false
separator = ";"
missing = "NA"
engine = "spark"
cpus = 2
memory = "1 kB"
walltime = "1 min"
backend = "slurm"
[checks."x.csv".columns]
a = { references = { file = "./y.csv", column = "code" } }
"""
    assert read(said) == Check(
        pattern="x.csv",
        columns={"a": ColumnCheck(references=Reference("y.csv", "code"))},
        rows_min=2,
        rows_max=3,
        unique=(("a", "b"),),
        other_columns=False,
        separator=";",
        missing=("NA",),
        engine="spark",
        resources=Resources(2, 0, 1000, 60),
        backend="slurm",
    )


def test_values_and_patterns_tell_a_type() -> None:
    assert column("values = ['x']").type == "text"
    assert column("values = [1, 2]").type == "integer"
    assert column("values = [1, 2.5]").type == "number"
    assert column("values = [true]").type == "boolean"
    assert column("pattern = 'x'").type == "text"
    assert column("").type is None


def test_dates_are_written_as_toml_or_as_text() -> None:
    assert column("type = 'date', min = 2024-01-01, max = '2025-01-01'") == ColumnCheck(
        type="date", min="2024-01-01", max="2025-01-01"
    )
    assert column("type = 'datetime', min = 2024-01-01T01:02:03").min == "2024-01-01T01:02:03"
    assert column("drift = true").drift == 0.25
    assert column("drift = false").drift is None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("min = 1", "column c: min needs a type that has an order"),
        ("type = 'text', min = 1", "column c: min needs a type that has an order"),
        ("type = 'integer', min = 'x'", "column c: min is no number"),
        ("type = 'date', min = 5", "column c: min is no date"),
        ("type = 'date', min = 'x'", "column c: min is no date"),
        ("type = 'integer', min = 2, max = 1", "column c: min is above max"),
        ("type = 'integer', values = ['x']", "column c: values are not of its type, integer"),
        ("values = ['x', 1]", "column c: values are of several types"),
        ("pattern = '('", "column c: pattern is no regular expression: missing ), unterminated"),
        ("pattern = '(?=x)'", "column c: pattern looks around or back, which is not supported"),
        ("pattern = '(x)\\1'", "column c: pattern looks around or back, which is not supported"),
        ("type = 'integer', pattern = 'x'", "column c: a pattern is for text"),
        ("references = { file = '../y', column = 'x' }", 'column c: "../y" leaves the project'),
        ("nullable = 'no'", "columns.c.nullable is neither true nor false"),
        ("values = [2024-01-01T00:00:00, nan]", "columns.c.values holds what no column does"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(text: str, cause: str) -> None:
    with pytest.raises(UserError) as raised:
        column(text)
    assert raised.value.message.startswith("lockgate.toml:4: [checks]: x.csv: ")
    assert cause in raised.value.message


def test_an_unknown_key_is_told_with_the_one_it_looks_like() -> None:
    with pytest.raises(UserError) as raised:
        column("patern = 'x'")
    assert raised.value.code == "manifest-unknown-key"
    assert raised.value.hint == 'Did you mean "pattern"?'


def test_rules_are_parameters_under_dotted_names() -> None:
    assert rules_flat(
        read("rows = { min = 5 }\ncolumns = { c = { values = ['x', 'y'], unique = true } }")
    ) == {
        "rows_min": 5,
        "columns.c.type": "text",
        "columns.c.unique": True,
        "columns.c.values": '["x","y"]',
    }


def test_suggestions_are_toml_that_reads_back() -> None:
    rules = {
        "rows": {"min": 10},
        "columns": {
            'a "b" ü\n\x7f': {"type": "text", "values": ["x\\", '"']},
            "c": {"type": "number", "min": -0.5, "max": 7, "nullable": True},
        },
    }
    path = "data/größe (1).csv"
    whole = with_check(STAGE, path, rules)
    assert whole.endswith(check_text(path, rules))
    (check,) = parse_manifest(whole).checks
    assert check == Check(
        pattern=path,
        rows_min=10,
        columns={
            'a "b" ü\n\x7f': ColumnCheck(type="text", values=("x\\", '"')),
            "c": ColumnCheck(type="number", min=-0.5, max=7, nullable=True),
        },
    )
    with pytest.raises(UserError) as raised:
        with_check(whole, path, rules)
    assert raised.value.code == "check-there"
