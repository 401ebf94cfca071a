from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import importlib.util, sys
from lockgate.hub.notebooks.quick_import import quick_import
with quick_import():
    import nbdime
assert "jsonschema" in sys.modules, "nbdime brings it, so there is something to do without"
assert "rfc3987_syntax.syntax_helpers" not in sys.modules
assert importlib.util.find_spec("rfc3987_syntax") is not None
"""


def test_nbdime_comes_without_the_grammar_of_addresses_and_others_find_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
