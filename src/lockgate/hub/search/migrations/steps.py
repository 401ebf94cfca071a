"""The steps there are, in order."""

from __future__ import annotations

import re
from pathlib import Path

STEPS = tuple(sorted((Path(__file__).parent / "versions").glob("step_*.py")))


def names_of_steps() -> list[str]:
    """Return the revisions as alembic knows them."""
    return [re.sub(r"^step_", "", path.stem) for path in STEPS]
