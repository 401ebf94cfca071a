"""A batch system's programs: missing, too slow, and leaving something behind."""

from __future__ import annotations

import os

import pytest

from lockgate.backends.programs import WayOut, run
from lockgate.errors import OutsideError

WAY_OUT = WayOut(
    missing_code="q-missing", unreachable_code="q-unreachable", install="Install it.", wait="Wait."
)
PATH = {"PATH": os.environ["PATH"]}


def test_programs_that_are_not_there_or_never_come_back() -> None:
    with pytest.raises(OutsideError, match="no program no-such-program") as missing:
        run(["no-such-program"], environment=PATH, timeout_s=5, way_out=WAY_OUT)
    assert (missing.value.code, missing.value.is_transient) == ("q-missing", False)
    with pytest.raises(OutsideError, match="did not come back within 1 s") as late:
        run(["sleep", "60"], environment=PATH, timeout_s=1, way_out=WAY_OUT)
    assert (late.value.code, late.value.is_transient) == ("q-unreachable", True)


def test_what_a_program_leaves_behind_is_not_waited_for() -> None:
    said = run(["sh", "-c", "sleep 20 & echo 7"], environment=PATH, timeout_s=10, way_out=WAY_OUT)
    assert (said.code, said.output) == (0, "7\n")


def test_a_program_is_started_with_its_environment_alone() -> None:
    said = run(["sh", "-c", "pwd; echo $A >&2; exit 3"], environment={**PATH, "A": "\udcff"}, timeout_s=10,
               way_out=WAY_OUT)  # fmt: skip
    assert (said.code, said.content, said.errors) == (3, b"/\n", "\ufffd\n")
