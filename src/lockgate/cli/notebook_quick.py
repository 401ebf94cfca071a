"""`lockgate notebook text FILE` without the packages that read options: git asks twice a notebook it shows.

Everything else, a mistake too, is left to the commands themselves.
"""

from __future__ import annotations

import sys


def quick(arguments: list[str]) -> int | None:
    """Do it and return the exit code; None: it is not so simple."""
    if len(arguments) != 2 or arguments[0] != "text" or arguments[1].startswith("-"):
        return None
    from lockgate.project.notebook_text import text_of_notebook  # noqa: PLC0415

    try:
        with open(arguments[1], "rb") as file:  # noqa: PTH123  (pathlib takes 10 ms)
            content = file.read()
    except OSError:
        return None
    sys.stdout.buffer.write(text_of_notebook(content).encode("utf-8", "replace"))
    return 0
