"""Loaded by every Python kernel of a project: magics, and `import lockgate`, with nothing installed there.

The project's runtime may be of another Python and without Lockgate's packages, so what is loaded here is
the standard library's and IPython's alone; commands are the server's own (`LOCKGATE_PYTHON`).
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[2]


def load_ipython_extension(shell: Any) -> None:
    """Let `lockgate` be imported, the runtime's own where it has one, and load its magics."""
    if "lockgate" not in sys.modules and importlib.util.find_spec("lockgate") is None:
        found = importlib.util.spec_from_file_location(
            "lockgate", _PACKAGE / "__init__.py", submodule_search_locations=[str(_PACKAGE)]
        )
        assert found is not None and found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules["lockgate"] = module
        found.loader.exec_module(module)
    shell.extension_manager.load_extension("lockgate")
