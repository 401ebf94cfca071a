"""What people say of data: what a pointer carries is taken as it can be meant, lockgate.toml strictly."""

from __future__ import annotations

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.project.dataset_table import put_dataset
from lockgate.project.description import Description, is_day, meta_of, read_description, require_field
from lockgate.project.manifest import parse_manifest

FULL = Description(
    text='Flights, "all" of them\nand more',
    owner="ada",
    licence="CC-BY-4.0",
    source="https://example.org/flights",
    version="2026",
    refreshed_at="2026-11-20",
    labelled_at="2026-11-21T08:30Z",
    labels=("tabular", "öffentlich"),
    columns={"delay": "minutes late", "a b": "with a blank"},
)


def test_what_is_said_goes_into_a_pointer_and_comes_back() -> None:
    meta = meta_of(FULL, {"theirs": [1, 2], "owner": "old", "license": "MIT"})
    assert meta is not None and meta["theirs"] == [1, 2] and "license" not in meta
    assert read_description(FULL.text, FULL.labels, meta) == FULL


def test_the_other_spelling_of_licence_is_read() -> None:
    assert read_description(None, (), {"license": "MIT"}).licence == "MIT"


@pytest.mark.parametrize(
    ("meta", "doubt"),
    [
        ({"licence": "free for all"}, "no licence"),
        ({"refreshed_at": "yesterday"}, "no day"),
        ({"refreshed_at": "2026-02-30"}, "no day"),
        ({"owner": ["ada"]}, "no text"),
        ({"owner": "a" * 1001}, "longer"),
        ({"columns": "delay"}, "names no columns"),
    ],
)
def test_what_cannot_be_meant_is_told_of_and_left_out(meta: dict[str, object], doubt: str) -> None:
    found = read_description("Text", (), meta)
    assert doubt in found.doubts[0]
    assert found == Description(text="Text", doubts=found.doubts)


@given(st.one_of(st.none(), st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.integers())))
def test_any_meta_of_other_programs_is_taken(meta: object) -> None:
    read_description(None, (), meta)


def test_days_that_there_are() -> None:
    assert is_day("2026-11-26") and is_day("2026-11-26T08:30Z") and is_day("2026-11-26T08:30:01Z")
    assert not is_day("2026-13-01") and not is_day("2026-11-26T25:00Z") and not is_day("26.11.2026")


def test_a_member_is_told_how_it_is_written() -> None:
    with pytest.raises(UserError) as refused:
        require_field("licence", "Creative Commons")
    assert refused.value.code == "description-invalid" and "CC-BY-4.0" in refused.value.hint


MANIFEST = """\
# ours
[project]
name = "x"   # kept

[datasets."data/a.csv"]
owner = "bob"  # old
columns = { x = "y" }

# about the stage
[stages.one]
run = "true"
"""


def test_a_table_is_written_into_the_manifest_and_all_else_stays() -> None:
    new = put_dataset(MANIFEST, "data/a.csv", FULL)
    assert parse_manifest(new).datasets == {"data/a.csv": FULL}
    assert new.startswith('# ours\n[project]\nname = "x"   # kept\n') and "# old" not in new
    assert new.endswith('\n\n# about the stage\n[stages.one]\nrun = "true"\n')
    both = put_dataset(new, "data/ü'.csv", Description(owner="ada"))
    assert parse_manifest(both).datasets == {"data/a.csv": FULL, "data/ü'.csv": Description(owner="ada")}
    assert put_dataset(both, "data/ü'.csv", Description(owner="ada")) == both


def test_a_table_in_another_form_is_left_to_its_writer() -> None:
    inline = 'datasets = { "a.csv" = { owner = "ada" } }\n'
    with pytest.raises(UserError) as refused:
        put_dataset(inline, "a.csv", FULL)
    assert refused.value.code == "manifest-invalid"


def test_a_bracket_in_a_text_is_no_table() -> None:
    odd = '[datasets.a]\ndescription = """\n[not a table]\n"""\n\n[project]\nname = "x"\n'
    try:
        new = put_dataset(odd, "a", Description(text="b"))
    except UserError as refused:
        assert refused.code == "manifest-invalid"
    else:
        assert tomli.loads(new) == {"datasets": {"a": {"description": "b"}}, "project": {"name": "x"}}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('licence = "free"', "no licence"),
        ("owner = 3", "not text"),
        ("refreshed_at = 2026-11-26", "not text"),
        ('labels = "one"', "list of words"),
        ("columns = { a = 1 }", "table of texts"),
        ('owners = "ada"', "owners"),
    ],
)
def test_a_manifest_that_cannot_be_meant_is_refused_with_its_line(line: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_manifest(f'[datasets."a.csv"]\n{line}\n')
    assert words in refused.value.message and refused.value.message.startswith("lockgate.toml:2: ")
