"""The one spelling of a path."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.project.paths import PathError, clean_path


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("a", "a"),
        ("./a", "a"),
        ("a//b/", "a/b"),
        ("a/./b", "a/b"),
        (".hidden", ".hidden"),
        ("data/été 1.csv", "data/été 1.csv"),
        ("..a/b..", "..a/b.."),
        (".gitignore", ".gitignore"),
        ("**/*.csv", "**/*.csv"),
        ("a b", "a b"),
    ],
)
def test_spellings(written: str, clean: str) -> None:
    assert clean_path(written) == clean


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("/etc/passwd", "path-outside"),
        ("../a", "path-outside"),
        ("a/../../b", "path-outside"),
        ("a/..", "path-outside"),
        ("..", "path-outside"),
        ("~/a", "path-outside"),
        ("./~/a", "path-outside"),
        ("C:/a", "path-outside"),
        ("s3://bucket/a", "path-outside"),
        (".git", "path-outside"),
        ("a/.GIT/config", "path-outside"),
        ("", "path-invalid"),
        (" ", "path-invalid"),
        (".", "path-invalid"),
        ("./", "path-invalid"),
        ("a\\b", "path-invalid"),
        ("a\0b", "path-invalid"),
        ("a\nb", "path-invalid"),
        ("\ud800", "path-invalid"),
    ],
)
def test_refusals(written: str, code: str) -> None:
    with pytest.raises(PathError) as caught:
        clean_path(written)
    assert caught.value.code == code
    assert caught.value.hint
    assert caught.value.message.isprintable()


@given(st.text() | st.lists(st.sampled_from(["a", ".", "..", "", ".git", "b c", "\\", "~"])).map("/".join))
@example(".\n")
@example("./~/0")
@example("a\n")
def test_what_is_taken_stays_inside_and_as_it_is(written: str) -> None:
    try:
        clean = clean_path(written)
    except PathError:
        return
    assert clean == posixpath.normpath(clean) == clean_path(clean)
    assert not clean.startswith(("/", "../"))
    assert clean.isprintable() or not any(ord(each) < 32 for each in clean)
    assert ".git" not in clean.lower().split("/")
