"""A line more in a manifest, and everything else as its author left it."""

from __future__ import annotations

import pytest

from lockgate.errors import UserError
from lockgate.project.editing import with_need, with_undeclared
from lockgate.project.manifest import parse_manifest

MANIFEST = """\
# ours
[project]
name = "p"   # short

[stages."to do"]
run = 'cat a'
needs = [
  "a",  # the first
  "b",
]
makes = ["o"]

[stages.all]
run = "true"
"""


def test_a_need_is_added_behind_the_others_with_comments_kept() -> None:
    text = with_need(MANIFEST.replace('"to do"', "todo"), "todo", "c")
    assert text == MANIFEST.replace('"to do"', "todo").replace('  "b",\n', '  "b",\n  "c",\n')


def test_what_would_be_a_pattern_or_a_parameter_is_written_as_the_file_it_is() -> None:
    text = with_need(MANIFEST.replace('"to do"', "todo"), "todo", "a[1]{x}*.csv")
    assert parse_manifest(text).stages[0].needs == ("a", "b", "a[[]1]{{x}}[*].csv")


def test_what_is_there_is_not_added_again() -> None:
    text = MANIFEST.replace('"to do"', "todo")
    assert with_need(text, "todo", "a") == text
    once = with_undeclared(text, "env:X")
    assert with_undeclared(once, "env:X") == once


def test_a_first_use_that_is_allowed_gets_a_line_below_the_project() -> None:
    text = with_undeclared(MANIFEST.replace('"to do"', "todo"), "/data/*")
    assert parse_manifest(text).undeclared == ("/data/*",)
    assert text.startswith('# ours\n[project]\nname = "p"   # short\nundeclared = ["/data/*"]\n')


@pytest.mark.parametrize(
    "before",
    ['[project]\nundeclared = "a"\n', 'project.undeclared = ["a"]\n', 'project = { undeclared = ["a"] }\n'],
)
def test_however_it_is_written_one_more_is_added(before: str) -> None:
    assert parse_manifest(with_undeclared(before, "b")).undeclared == ("a", "b")


def test_a_manifest_without_a_project_gets_one() -> None:
    assert parse_manifest(with_undeclared('[stages.a]\nrun = "true"\n', "é\n")).undeclared == ("é\n",)


@pytest.mark.parametrize("stage", ["all", "unknown"])
def test_needs_that_are_left_out_are_not_made_up(stage: str) -> None:
    with pytest.raises(UserError) as caught:
        with_need(MANIFEST.replace('"to do"', "todo"), stage, "c")
    assert caught.value.code == "manifest-not-edited"
