"""Addresses of tools: one part for any project's folder, and back."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from lockgate.jupyter.tools.address import address, folder_of, part_of


@pytest.mark.parametrize("called", ["flights", "a/b", "a~/b", "a/~b", "~1", "a b/é%2F", "~"])
def test_any_folder_is_one_part_and_found_again(called: str) -> None:
    part = unquote(address(called, "notes").split("/")[2])
    assert part == part_of(called) and "/" not in part
    assert folder_of(part) == called


def test_the_project_around_the_servers_folder_has_a_part_too() -> None:
    assert address("", "notes") == address("..", "notes") == "lockgate/tools/~/notes/"
    assert folder_of("~") == ""
