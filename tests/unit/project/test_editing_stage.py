"""A stage written into a manifest, and everything else as its author left it."""

from __future__ import annotations

import pytest
import tomli

from lockgate.errors import UserError
from lockgate.project.editing import with_stage

MANIFEST = """\
# ours
[project]
name = "p"   # short

[stages.all]   # the only one
run = "true"
"""


@pytest.mark.parametrize("text", ["", MANIFEST, "[stages]\n[stages.x]\nrun = 'x'\n", "[project]\nname = 'p'"])
def test_a_new_stage_stands_at_the_end(text: str) -> None:
    done = with_stage(text, "new", {"run": "python new.py", "needs": ["a b", "é"], "makes": None})
    assert done.startswith(text.rstrip("\n"))
    assert tomli.loads(done)["stages"]["new"] == {"run": "python new.py", "needs": ["a b", "é"]}


def test_a_stage_that_is_there_keeps_its_other_keys_and_comments() -> None:
    first = with_stage(MANIFEST, "all", {"run": "false", "cpus": 2})
    assert '[stages.all]   # the only one\nrun = "false"\n' in first
    assert with_stage(first, "all", {"run": "false", "cpus": 2}) == first
    assert "cpus" not in with_stage(first, "all", {"cpus": None})


def test_a_stage_that_the_manifest_refuses_is_refused() -> None:
    with pytest.raises(UserError):
        with_stage(MANIFEST, "all", {"cpus": "many"})
