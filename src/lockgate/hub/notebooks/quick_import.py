"""Importing nbdime in half a second instead of four: every merge of a notebook by git waits for that."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

#: jsonschema, which nbformat brings, imports it to check addresses, and it builds their grammar for seconds.
#: No notebook is asked for one. Where it is not there that check is left out.
_SLOW = "rfc3987_syntax"


@contextlib.contextmanager
def quick_import() -> Iterator[None]:
    """What is imported in here does without that grammar, unless it is there already.

    None in `sys.modules` says that a module is not there (Python's reference, The import system, 5.3.1).
    """
    if _SLOW in sys.modules:
        yield
        return
    sys.modules[_SLOW] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_SLOW]
