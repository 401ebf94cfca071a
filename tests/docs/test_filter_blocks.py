"""Every filter on the page of filters can be read; every column of a run is on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lockgate.hub.search.filters import ALIASES, COLUMNS, Comparison, Word, parse

PAGE = (Path(__file__).parents[2] / "docs/reference/filters.md").read_text("utf-8")
FILTERS = [
    line
    for block in re.findall(r'```text title="filters"\n(.*?)```', PAGE, re.S)
    for line in block.splitlines()
]


@pytest.mark.parametrize("filter", FILTERS)
def test_a_filter_of_the_page_is_read(filter: str) -> None:
    assert parse(filter)


def test_the_table_of_columns_is_whole() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\| .* \|([^|]+)\|$", PAGE, re.M)
    assert {name: tuple(re.findall(r"`(\S+?)`", signs)) for name, _, signs in rows} == COLUMNS
    aliases = {other: name for name, others, _ in rows for other in re.findall(r"\w+", others)}
    assert aliases == ALIASES
    for state in ("recording", "cancelled"):
        assert parse(f"state = {state}") == Comparison("state", "=", Word(state))
