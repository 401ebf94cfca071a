"""Which of what a stage was seen to use undeclared is suspected first."""

from __future__ import annotations

from lockgate.hub.proving.suspects import suspected
from lockgate.runs.observation import Use

TABLE = Use("/data/a.csv", "read")
HOST = Use("host:10.0.0.1:443", "called")


def test_what_both_runs_used_comes_after_what_only_one_did() -> None:
    assert suspected([TABLE, HOST], [TABLE]) == [HOST, TABLE]
    assert suspected([TABLE], [TABLE, HOST]) == [HOST, TABLE]


def test_a_variable_that_is_not_set_any_more_is_told_once_and_as_it_is_now() -> None:
    then, now = Use("env:LIMIT", "make.py:2"), Use("env:LIMIT", "make.py:2, not set")
    assert suspected([TABLE, then], [TABLE, now]) == [now, TABLE]


def test_what_a_stage_writes_elsewhere_does_not_change_what_it_makes() -> None:
    assert suspected([], [Use("/data/log", "written")]) == []
