"""Paths that may not stand in a tree."""

from __future__ import annotations

import pytest

from lockgate.errors import UserError
from lockgate.git.path import MAX_DEPTH, check_path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "a//b",
        "a/",
        "./a",
        "a/../../b",
        "..",
        ".git/config",
        "a/.GIT/hooks/pre-commit",
        ".git./x",
        ".git /x",
        "GIT~1/x",
        ".g\u200cit/x",
        ".git::$INDEX_ALLOCATION/x",
        "a\0b",
        "\ud800",
        "d/" * MAX_DEPTH + "x",
    ],
)
def test_refused(path: str) -> None:
    with pytest.raises(UserError) as caught:
        check_path(path)
    assert caught.value.code == "path-unsafe"
    assert len(caught.value.message) < 400
    caught.value.message.encode()


@pytest.mark.parametrize(
    "path", ["a", "a/b.txt", ".gitignore", "été/\n", "a\udcff", "...", ".github/x", "a b"]
)
def test_taken(path: str) -> None:
    assert "/".join(check_path(path)) == path
