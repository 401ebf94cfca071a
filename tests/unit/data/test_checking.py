"""The program that checks tables, on every kind of table and every kind of fault."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lockgate.data.checking.__main__ import main
from lockgate.data.checking.check import check
from lockgate.data.checking.outcome import Outcome
from lockgate.data.checking.rules import read_rules
from lockgate.data.checking.suggest import suggest
from lockgate.data.checking.table import UnreadableError


def outcome(place: Path, content: str | bytes, rules: dict[str, Any], name: str = "x.csv") -> Outcome:
    file = place / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return check(str(file), read_rules(json.dumps(rules).encode()), {})


def said(place: Path, content: str | bytes, rules: dict[str, Any], name: str = "x.csv") -> list[str]:
    return [failure.words for failure in outcome(place, content, rules, name).failures]


def column(**rules: Any) -> dict[str, Any]:
    return {"columns": {"a": rules}}


def test_good_rows_pass_and_what_was_asked_is_counted(tmp_path: Path) -> None:
    rules = column(type="integer", min=0, max=9)
    found = outcome(tmp_path, "a,b\n1,x\n2,y\n", rules)
    assert found.has_passed
    assert found.headline == f"{tmp_path}/x.csv: 2 rows, 2 columns; 6 rules hold"


@pytest.mark.parametrize(
    ("rules", "cells", "words"),
    [
        (column(type="integer"), "1\nx\n3.5\n", ["column a: row 2: x is not an integer (2 rows)"]),
        (column(type="integer"), "1\n3.0\n -7 \n", []),
        (column(type="number"), "1\n1e3\n-.5\nx\n", ["column a: row 4: x is not a number"]),
        (column(type="boolean"), "true\nFALSE\n1\nmaybe\n", ["column a: row 4: maybe is not a boolean"]),
        (column(type="date"), "2024-02-29\n2023-02-29\n", ["column a: row 2: 2023-02-29 is not a date"]),
        (
            column(type="datetime"),
            "2024-02-29T01:02:03Z\n2024-02-29 01:02\n2024-02-29T01:02:03.5+02:00\nnow\n",
            ["column a: row 4: now is not a datetime"],
        ),
        (column(type="integer"), "1\n\n", ["column a: row 2: (nothing) where a value must be"]),
        (column(type="number"), "1\nNaN\n", ["column a: row 2: (nothing) where a value must be"]),
        (column(type="integer", nullable=True), "1\n\n2\n", []),
        (column(type="integer", min=2), "1\n2\n", ["column a: row 1: 1 is below 2"]),
        (column(type="number", max=2.5), "1\n3\n", ["column a: row 2: 3.0 is above 2.5"]),
        (
            column(type="date", min="2024-01-01"),
            "2023-12-31\n2024-01-01\n",
            ["column a: row 1: 2023-12-31 is below 2024-01-01"],
        ),
        (column(values=["x", "y"]), "x\nz\n", ["column a: row 2: z is not among x, y"]),
        (column(type="integer", values=[1, 2]), "1\n3\n", ["column a: row 2: 3 is not among 1, 2"]),
        (column(pattern="[a-c]+"), "abc\nabcd\n", ["column a: row 2: abcd does not fit [a-c]+"]),
        (column(unique=True), "x\ny\nx\n", ["column a: row 3: x (as in row 1) stands twice"]),
        (column(unique=True, nullable=True), "x,1\n,2\n,3\n", []),
        (column(type="integer", unique=True), "1\n01\n", ["column a: row 2: 1 (as in row 1) stands twice"]),
    ],
)
def test_each_rule_names_rows_and_values(
    tmp_path: Path, rules: dict[str, Any], cells: str, words: list[str]
) -> None:
    header = "a,b\n" if "," in cells else "a\n"
    assert said(tmp_path, header + cells, rules) == words


def test_a_key_of_several_columns_stands_once(tmp_path: Path) -> None:
    rules = {"unique": [["a", "b"]]}
    assert said(tmp_path, "a,b\n1,1\n1,2\n2,1\n", rules) == []
    words = ["row 4: 1, 2 (as in row 2) stands twice as a, b"]
    assert said(tmp_path, "a,b\n1,1\n1,2\n2,1\n1,2\n", rules) == words
    assert "column c: is missing; there are a, b" in said(tmp_path, "a,b\n1,1\n", {"unique": [["c"]]})


def test_columns_that_lack_and_columns_that_nobody_named(tmp_path: Path) -> None:
    rules = {"columns": {"a": {}, "c": {"required": False}, "d": {}}, "other_columns": False}
    assert said(tmp_path, "a,b\n1,1\n", rules) == [
        "column d: is missing; there are a, b",
        "there are columns that no rule names: b",
    ]


def test_the_number_of_rows_and_an_empty_table(tmp_path: Path) -> None:
    assert said(tmp_path, "a\n", column()) == ["it has a header and no row; at least 1 are asked for"]
    assert said(tmp_path, "a\n", column() | {"rows_min": 0}) == []
    assert said(tmp_path, "a\n1\n", {"rows_min": 2}) == ["it has 1 row; at least 2 are asked for"]
    assert said(tmp_path, "a\n1\n2\n", {"rows_max": 1}) == ["it has 2 rows; at most 1 are asked for"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty: it has neither a header nor a row"),
        ("\n1\n", "has no header: its first line is empty"),
        ("a,b,a\n1,2,3\n", "column names stand twice: a"),
        ("a,b\n1,2\n1,2,3\n4\n", "row 2 has 3 values, the header names 2 columns"),
        ('a,b\n"x\ny",2\n4\n', "row 2 has 1 value, the header names 2 columns"),
        (b"a,b\n1,2\nM\xfcller,2\n", "is not UTF-8: byte 0xFC in line 3"),
        (b"\xfca\n1\n", "is not UTF-8: byte 0xFC in line 1"),
    ],
)
def test_what_is_no_table_is_told_in_words(tmp_path: Path, content: str | bytes, words: str) -> None:
    assert said(tmp_path, content, column()) == [words]


def test_quoted_separators_line_ends_and_a_byte_order_mark_are_csv(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfa,b\r\n"x,y","1\n2"\r\nz,3\r\n'
    found = outcome(tmp_path, content, column(values=["x,y", "z"]))
    assert found.has_passed and found.rows == 2 and found.columns == ("a", "b")


def test_other_separators_and_words_for_nothing(tmp_path: Path) -> None:
    rules = column(type="integer", nullable=True)
    assert said(tmp_path, "a;b\n1;2\nNA;3\n", rules | {"separator": ";", "missing": ["NA"]}) == []
    assert said(tmp_path, "a\tb\n1\t2\n", rules, "x.tsv") == []


def test_a_reference_must_be_found_in_the_other_table(tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text("code\n1\n2\n")
    rules = column(
        type="integer", nullable=True, references={"file": str(tmp_path / "y.csv"), "column": "code"}
    )
    assert said(tmp_path, "a,b\n1,x\n,x\n02,x\n", rules) == []
    words = [f"column a: row 2: 3 is not in column code of {tmp_path}/y.csv (2 rows)"]
    assert said(tmp_path, "a\n1\n3\n3\n", rules) == words
    rules["columns"]["a"]["references"]["column"] = "id"
    assert said(tmp_path, "a\n1\n", rules)[0].endswith("which it refers to, has no column id")
    rules["columns"]["a"]["references"]["file"] = str(tmp_path / "z.csv")
    assert said(tmp_path, "a\n1\n", rules)[0].endswith("which it refers to: is not there")


def test_json_lines(tmp_path: Path) -> None:
    rules = {"columns": {"a": {"type": "integer"}, "b": {"nullable": True}}}
    assert said(tmp_path, '{"a": 1, "b": "x"}\n{"a": 2}\n', rules, "x.jsonl") == []
    words = ['column a: row 2: "x" is not an integer']
    assert said(tmp_path, '{"a": 1, "b": 1}\n{"a": "x"}\n', rules, "x.jsonl") == words
    broken = said(tmp_path, '{"a": 1}\n{"a": \n', rules, "x.jsonl")
    assert broken[0].startswith("line 2 is no JSON")
    assert said(tmp_path, "", rules, "x.jsonl") == ["is empty: it has no row"]


def test_a_string_of_json_is_neither_a_number_nor_a_truth(tmp_path: Path) -> None:
    rules = {
        "columns": {
            "a": {"type": "integer", "nullable": True, "min": 0},
            "b": {"type": "number", "nullable": True},
            "c": {"type": "boolean", "nullable": True},
            "d": {"type": "text", "nullable": True},
            "e": {"type": "date", "nullable": True},
        }
    }
    good = (
        '{"a": 7, "b": 1e3, "c": true, "d": "7", "e": "2026-11-26"}\n\n{"a": 3.0, "b": 2, "c": 1, "d": 7}\n'
    )
    empty = '{"a": "", "b": null, "c": ""}\n{}\n'
    assert said(tmp_path, good + empty, rules, "x.jsonl") == []
    bad = '{"a": "7", "b": "NaN", "c": "true"}\n{"a": "-7", "d": "\\"x\\""}\n'
    assert said(tmp_path, good + empty + bad, rules, "x.jsonl") == [
        'column a: row 5: "7" is not an integer (2 rows)',
        'column b: row 5: "NaN" is not a number',
        'column c: row 5: "true" is not a boolean',
    ]
    # The same where names and rows are many
    many = "".join(
        f'{{"zeit größe": {row if row != 150_001 else chr(34) + "1" + chr(34)}}}\n' for row in range(200_000)
    )
    wanted = {"columns": {"zeit größe": {"type": "integer"}}}
    assert said(tmp_path, many, wanted, "x.jsonl") == ['column zeit größe: row 150002: "1" is not an integer']


def test_parquet_has_types_of_its_own_and_may_be_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    for number in range(2):
        part = pl.DataFrame({"a": [number, 5], "b": ["x", None], "c": [1.5, float("nan")]})
        part.write_parquet(folder / f"part-{number}.parquet")
    rules = {
        "columns": {
            "a": {"type": "integer", "min": 1},
            "b": {"type": "text"},
            "c": {"type": "integer"},
        },
        "unique": [["a"]],
    }
    found = check(str(folder), read_rules(json.dumps(rules).encode()), {})
    assert found.rows == 4
    assert [failure.words for failure in found.failures] == [
        "column c: is of type Float64, not integer",
        "column a: row 1: 0 is below 1",
        "column b: row 2: (nothing) where a value must be (2 rows)",
        "column a: row 4: 5 (as in row 2) stands twice",
    ]
    (folder / "part-1.parquet").write_bytes(b"PAR1 is cut short")
    broken = check(str(folder), read_rules(b"{}"), {})
    assert broken.failures[0].words.startswith("cannot be read: ")


def test_one_wrong_cell_among_many_batches_is_named_by_its_row(tmp_path: Path) -> None:
    rows = [str(number) for number in range(250_001)]
    rows[234_567] = "x"
    rows[200_000] = "17"
    rules = column(type="integer", unique=True)
    assert said(tmp_path, "a\n" + "\n".join(rows) + "\n", rules) == [
        "column a: row 200001: 17 (as in row 18) stands twice",
        "column a: row 234568: x is not an integer",
    ]


def test_a_table_in_order_takes_one_line(tmp_path: Path) -> None:
    found = outcome(tmp_path, "a\n1\n", column(type="integer"))
    assert found.lines() == [found.headline]


def test_the_first_rows_are_listed_and_the_rest_is_counted(tmp_path: Path) -> None:
    found = outcome(tmp_path, "a\n" + "x\n" * 9, column(type="integer"))
    assert found.lines()[1:-1] == [
        "  failed: column a: row 1: x is not an integer (9 rows)",
        *(f"    row {row}: x" for row in range(2, 6)),
        "    … 4 more",
    ]


def accepted(place: Path, values: list[Any]) -> dict[str, Any]:
    frame = pl.DataFrame({"a": values}, strict=False)
    frame.write_csv(place / "before.csv")
    type_ = "text" if isinstance(values[0], str) else "number"
    rules = read_rules(json.dumps(column(type=type_, nullable=True, drift=0.25)).encode())
    return check(str(place / "before.csv"), rules, {}).profiles


def drift(place: Path, before: list[Any], now: list[Any]) -> tuple[float, bool]:
    pl.DataFrame({"a": now}, strict=False).write_csv(place / "now.csv")
    type_ = "text" if isinstance(now[0], str) else "number"
    rules = read_rules(json.dumps(column(type=type_, nullable=True, drift=0.25)).encode())
    found = check(str(place / "now.csv"), rules, accepted(place, before))
    return found.drift["a"], found.has_passed


def test_drift_is_told_by_the_population_stability_index(tmp_path: Path) -> None:
    before = [number % 100 for number in range(2000)]
    assert drift(tmp_path, before, before[::-1]) == (0.0, True)
    moved, has_passed = drift(tmp_path, before, [value + 50 for value in before])
    assert moved > 2 and not has_passed
    # Half of all values gone: (0.5 - ε) · ln(0.5 / ε) and each bin halved
    gone, has_passed = drift(tmp_path, before, [None if value % 2 else value for value in before])
    assert gone > 1 and not has_passed


def test_drift_by_hand_and_few_rows_are_not_taken_for_it(tmp_path: Path) -> None:
    # Shares 0.5, 0.5 → 0.9, 0.1: 0.4 · ln(1.8) + (-0.4) · ln(0.2) = 0.8789, less 1 · (1/1000 + 1/1000)
    assert drift(tmp_path, ["x", "y"] * 500, ["x"] * 900 + ["y"] * 100) == (0.8769, False)
    assert drift(tmp_path, [1, 2, 3, 4, 5, 6, 7, 8, 9], [2, 3, 4, 5, 6, 7, 8, 9, 11])[1]
    # A value nobody saw before
    assert drift(tmp_path, ["x", "y"] * 500, ["x", "z"] * 500)[1] is False


def test_what_is_suggested_fits_and_is_wider_than_the_data(tmp_path: Path) -> None:
    rows = [
        f"{number},{number * 37 % 1000 / 10},{'ABC'[number % 3]},2024-01-{number % 28 + 1:02d},{number % 2},"
        for number in range(300)
    ]
    file = tmp_path / "x.csv"
    file.write_text("id,price,kind,day,flag,note\n" + "\n".join(rows) + "\n")
    found = suggest(str(file))
    assert found == {
        "rows": {"min": 150},
        "columns": {
            "id": {"type": "integer", "unique": True},
            "price": {"type": "number", "min": 0, "max": 150},
            "kind": {"type": "text", "values": ["A", "B", "C"]},
            "day": {"type": "date", "min": "2024-01-01"},
            "flag": {"type": "integer", "min": 0, "max": 1},
            "note": {"nullable": True},
        },
    }


def test_few_rows_are_no_ground_for_values_or_uniqueness(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\nx,-3\ny,8\n")
    assert suggest(str(file)) == {
        "rows": {"min": 1},
        "columns": {"a": {"type": "text"}, "b": {"type": "integer", "min": -9, "max": 14}},
    }
    file.write_text("")
    with pytest.raises(UnreadableError):
        suggest(str(file))


def test_the_program_writes_its_report_and_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_text("größe\nx\n")
    (tmp_path / "rules.json").write_text('{"columns": {"größe": {"type": "integer"}}}')
    words = [str(tmp_path / name) for name in ("x.csv", "rules.json", "below/report.json", "none.json")]
    assert main(["check", *words]) == 1
    report = json.loads((tmp_path / "below" / "report.json").read_text())
    assert report["failures"] == [
        {
            "rule": "type",
            "column": "größe",
            "count": 1,
            "first": [{"row": 1, "value": "x"}],
            "words": "column größe: row 1: x is not an integer",
        }
    ]
    assert capsys.readouterr().out.splitlines()[-1].endswith("column größe: row 1: x is not an integer")
    assert main(["suggest", str(tmp_path / "none.csv")]) == 1


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_packed_text_is_read_as_what_it_is_packed_from(tmp_path: Path, packing: str) -> None:
    rules = column(type="integer", max=2)
    for name, content in (("x.csv", 'a,b\n1,"x\ny"\n3,z\n'), ("x.jsonl", '{"a": 1}\n{"a": 3}\n')):
        packed = pack(content.encode(), packing)
        assert said(tmp_path, packed, rules, f"{name}.{packing}") == ["column a: row 2: 3 is above 2"]
    ragged = pack(b"a,b\n1,2\n1\n", packing)
    assert said(tmp_path, ragged, rules, f"r.csv.{packing}") == [
        "row 2 has 1 value, the header names 2 columns"
    ]
    cut = pack(b"a\n" + b"".join(b"%d\n" % (n * 7919 % 10_007) for n in range(50_000)), packing)[:-2000]
    (words,) = said(tmp_path, cut, rules, f"cut.csv.{packing}")
    assert "cannot be read" in words
    assert suggest(str(tmp_path / f"x.csv.{packing}"))["columns"]["a"]["type"] == "integer"


def pack(content: bytes, packing: str) -> bytes:
    if packing == "gz":
        return gzip.compress(content)
    return subprocess.run(["zstd", "-q", "-c"], input=content, stdout=subprocess.PIPE, check=True).stdout


def test_a_name_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "x1.csv").write_text("a\n9\n")
    assert said(tmp_path, "a\n1\n", column(type="integer", max=2), "x[1].csv") == []
